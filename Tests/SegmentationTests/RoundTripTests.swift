import IPPacket
import NetTypes
import Segmentation
import Testing

@Suite struct RoundTripTests {
    @Test func `Cutting a packet and merging the segments gives it back`() throws {
        var random = SeededGenerator(seed: 21)
        for _ in 0..<60 {
            let flow = Bool.random(using: &random) ? Flow.v4 : .v6
            let isTCP = Bool.random(using: &random)
            let size = Int.random(in: 1...1400, using: &random)
            let limit = min(60_000, size * (isTCP ? 200 : 64))
            let payload = [UInt8].random(
                count: Int.random(in: size + 1...max(size + 1, limit), using: &random),
                using: &random)
            let whole =
                isTCP
                ? flow.tcp(
                    payload, sequence: UInt32(truncatingIfNeeded: random.next()),
                    flags: [.ack, .psh])
                : flow.udp(payload)
            let (header, packet) = makeSuper(whole, segment: size)
            let merged = coalesce(try split(header, packet))
            #expect(merged.count == 1)
            #expect(merged[0].header.segmentByteCount == UInt16(size))
            var finished = merged[0].packet
            repairChecksums(&finished)
            #expect(finished == whole)
        }
    }

    @Test func `Cutting merged packets apart gives what came, in order for each flow`() throws {
        for seed in 30..<60 as Range<UInt64> {
            var random = SeededGenerator(seed: seed)
            let packets = stream(&random)
            var result: [[UInt8]] = []
            for (header, packet) in coalesce(packets) { result += try split(header, packet) }
            #expect(result.count == packets.count, "seed \(seed)")
            for port in 0..<4 as Range<UInt16> {
                for isTCP in [true, false] {
                    let came = packets.filter { matches($0, port, isTCP) }.map(
                        withoutIdentification)
                    let left = result.filter { matches($0, port, isTCP) }.map(withoutIdentification)
                    #expect(came == left, "seed \(seed)")
                }
            }
        }
    }

    /// Packets of eight flows, with losses, repetitions, flags and damage.
    private func stream(_ random: inout SeededGenerator) -> [[UInt8]] {
        var sequences = [UInt32](repeating: 1, count: 4)
        return (0..<200).map { _ in
            let port = Int.random(in: 0..<4, using: &random)
            var flow = port % 2 == 0 ? Flow.v4 : .v6
            flow.source = Endpoint(flow.source.address, port: UInt16(port))
            let size = [100, 100, 100, 37].randomElement(using: &random)!
            let payload = [UInt8].random(count: size, using: &random)
            if Int.random(in: 0..<4, using: &random) == 0 { return flow.udp(payload) }
            var flags: TCPFlags = [.ack]
            if Int.random(in: 0..<8, using: &random) == 0 { flags.insert(.psh) }
            if Int.random(in: 0..<16, using: &random) == 0 { flags.insert(.fin) }
            if Int.random(in: 0..<16, using: &random) == 0 { sequences[port] &+= 5 }
            var packet = flow.tcp(payload, sequence: sequences[port], flags: flags)
            if Int.random(in: 0..<16, using: &random) > 0 { sequences[port] &+= UInt32(size) }
            if Int.random(in: 0..<20, using: &random) == 0 {
                packet[Int.random(in: flow.headerOffset + 4..<packet.count, using: &random)] ^= 4
            }
            return packet
        }
    }

    private func matches(_ packet: [UInt8], _ port: UInt16, _ isTCP: Bool) -> Bool {
        let isIPv4 = packet[0] >> 4 == 4
        return packet.word(at: isIPv4 ? 20 : 40) == port && (packet[isIPv4 ? 9 : 6] == 6) == isTCP
    }

    /// Where fragmenting is forbidden identification says nothing, and it is all that may differ.
    private func withoutIdentification(_ packet: [UInt8]) -> [UInt8] {
        guard packet[0] >> 4 == 4 else { return packet }
        var packet = packet
        packet.store(0, at: 4)
        packet.store(0, at: 10)
        return packet
    }
}
