import IPPacket
import LinuxIO
import NetTypes
import PathEngine
import TunDevice
import WireGuard

// Packets that do not pass the direct path to their peer.
extension PacketLoop {
    /// A packet of the host, the first of those it was cut into, is about to be sealed for a peer. Where
    /// the path carries less than the interface allows, TCP is told to send smaller segments, and the
    /// sender of a packet that is too large learns what passes; the packet itself goes by relay if there
    /// is one.
    @inline(__always)
    mutating func fitToPath(_ slot: inout MutableRawSpan, _ range: Range<Int>, mtu: Int) {
        var bytes = slot._mutatingExtracting(range)
        guard let packet = try? ParsedPacket(bytes.bytes) else { return }
        if packet.byteCount > mtu {
            answerTooBig(bytes.bytes, packet, mtu: mtu)
        } else if packet.tcpFlags.contains(.syn) {
            clampSegmentSize(of: &bytes, packet, mtu: mtu)
        }
    }

    /// What a datagram brought is about to be handed to the host: a SYN of the peer limits the
    /// segments that the host will send.
    @inline(__always)
    func fitToPath(_ datagram: inout MutableRawSpan, _ result: ReceiveResult) {
        guard case .packet(let peer, let range) = result,
            let mtu = paths.innerMTU(of: peer.number)
        else { return }
        var inner = datagram._mutatingExtracting(range)
        // What is no IP packet the filter has dropped.
        guard let packet = try? ParsedPacket(inner.bytes) else { return }
        clampSegmentSize(of: &inner, packet, mtu: mtu)
    }

    private mutating func answerTooBig(_ bytes: RawSpan, _ packet: ParsedPacket, mtu: Int) {
        guard now >= nextTooBigAt,
            let message = PacketBuilder.tooBig(mtu: mtu, about: bytes, packet)
        else { return }
        counters.tooBig += 1
        nextTooBigAt = now + .milliseconds(1)
        flushScratch()
        unsafe scratch.append(message.span.bytes)
        if let outcome = tun?.send(scratch) { counters.notDelivered += Int64(outcome.refused) }
        scratch.removeAll()
    }
}
