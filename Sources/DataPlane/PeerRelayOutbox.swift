internal import Disco
internal import LinuxIO
internal import NetTypes
internal import PathEngine

/// Packets on their way to peer relays, each behind the header that tells the relay whose it is. They
/// are few on most nodes, so they are copied here instead of making room in front of every packet.
/// They leave in trains.
// A class, because packets are put into it from where the loop may not be changed.
final class PeerRelayOutbox {
    /// Nil until something is to be sent, and again when that has been a while ago.
    private var buffer: SendBuffer?
    private(set) var dropped: Int64 = 0

    var isEmpty: Bool { buffer?.isEmpty != false }

    /// Whether a message has room: if not, all are to be sent first.
    func hasRoom(for byteCount: Int) -> Bool {
        buffer?.hasRoom(for: GeneveHeader.byteCount + byteCount) != false
    }

    /// Takes a message that has room. `ecn` are the two bits of its IP header.
    func append(
        _ message: RawSpan, through relay: PeerRelayAddress, endpoint: Endpoint?, ecn: UInt8
    ) {
        let byteCount = GeneveHeader.byteCount + message.byteCount
        guard let endpoint, byteCount <= SendBuffer.trainByteCountMax else {
            dropped += 1
            return
        }
        if buffer == nil { buffer = SendBuffer() }
        buffer?.append(
            message, behind: relay.dataHeader, to: SendBuffer.Target(endpoint, ecn: ecn))
    }

    /// Sends all by `body`, which returns how many were lost, and forgets them.
    func send(_ body: (borrowing SendBuffer) -> Int) {
        guard var full = buffer.take() else { return }
        dropped += Int64(body(full))
        full.removeAll()
        buffer = consume full
    }
}

extension SendBuffer {
    /// Appends a header and a copy of `message`. There must be room.
    fileprivate mutating func append(
        _ message: RawSpan, behind header: GeneveHeader, to target: Target
    ) {
        var slot = free
        header.write(to: &slot, at: 0)
        slot.copy(message, at: GeneveHeader.byteCount)
        append(byteCount: GeneveHeader.byteCount + message.byteCount, to: target)
    }
}
