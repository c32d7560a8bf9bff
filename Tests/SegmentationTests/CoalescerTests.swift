import IPPacket
import NetTypes
import Segmentation
import Testing

@Suite struct CoalescerTests {
    private static let flows = [Flow.v4, Flow.v6]

    private func counts(_ packets: [[UInt8]], kinds: Coalescer.Kinds = [.tcp, .udp]) -> [Int] {
        coalesce(packets, kinds: kinds).map { group in
            group.header.segmentByteCount == 0 ? 1 : payloadCount(group.packet, group.header)
        }
    }
    /// Segments of a super-packet.
    private func payloadCount(_ packet: [UInt8], _ header: OffloadHeader) -> Int {
        let payload = packet.count - Int(header.headerByteCount)
        let segment = Int(header.segmentByteCount)
        return (payload + segment - 1) / segment
    }
    private func segments(_ flow: Flow, _ sizes: [Int], push: Set<Int> = []) -> [[UInt8]] {
        var sequence: UInt32 = 0xFFFF_FE00
        return sizes.enumerated().map { index, size in
            defer { sequence &+= UInt32(size) }
            return flow.tcp(
                [UInt8](repeating: UInt8(index), count: size), sequence: sequence,
                flags: push.contains(index) ? [.ack, .psh] : [.ack])
        }
    }

    @Test func `Segments in sequence become one packet, which the kernel can finish`() {
        for flow in Self.flows {
            let merged = coalesce(segments(flow, [1000, 1000, 1000, 500], push: [3]))
            #expect(merged.count == 1)
            let (header, packet) = merged[0]
            #expect(header.needsChecksum)
            #expect(header.rawKind == (flow.headerOffset == 20 ? 1 : 4))
            #expect(header.segmentByteCount == 1000)
            #expect(Int(header.headerByteCount) == flow.headerOffset + 20)
            #expect(Int(header.checksumStart) == flow.headerOffset)
            #expect(header.checksumOffset == 16)
            #expect(packet.count == flow.headerOffset + 20 + 3500)
            #expect(packet[flow.headerOffset + 13] == 0x18)
            // As the device of a card without segmentation would do it.
            var finished = header
            finished.rawKind = 0
            let whole = try? split(finished, packet)
            #expect(whole?.count == 1)
            if let whole { #expect(isIntact(whole[0])) }
        }
    }

    @Test func `A gap, a change of size, a push or a flag ends a packet`() {
        for flow in Self.flows {
            #expect(counts(segments(flow, [100, 100, 50, 100, 100])) == [3, 2])
            #expect(counts(segments(flow, [100, 200, 200])) == [1, 2])
            #expect(counts(segments(flow, [100, 100, 100, 100], push: [1])) == [2, 2])
            #expect(counts(segments(flow, [100, 100, 100], push: [0])) == [1, 2])
            var gap = segments(flow, [100, 100, 100, 100])
            gap.remove(at: 1)
            #expect(counts(gap) == [1, 2])
            var order = segments(flow, [100, 100, 100])
            order.swapAt(1, 2)
            #expect(counts(order) == [1, 1, 1])
            for flags in [
                [.ack, .fin], [.ack, .rst], [.ack, .syn], [.ack, .urg], [.ack, .ece],
            ]
                as [TCPFlags]
            {
                let odd = flow.tcp([1, 2], sequence: 3, flags: flags)
                let packets = [flow.tcp([0, 1], sequence: 1), odd, flow.tcp([1, 2], sequence: 5)]
                #expect(counts(packets) == [1, 1, 1])
            }
            let empty = flow.tcp([], sequence: 3)
            #expect(counts([flow.tcp([0, 1], sequence: 1), empty, empty]) == [1, 1, 1])
        }
    }

    @Test func `Whatever a merged packet has only once must be the same in all`() {
        for flow in Self.flows {
            let start = flow.headerOffset
            var fields = [
                start + 8: "acknowledgement", start + 14: "window", start + 21: "options",
            ]
            if flow.source.address.isIPv4 {
                fields.merge([1: "ECN", 6: "don't fragment", 8: "time to live", 15: "source"]) {
                    $1
                }
            } else {
                fields.merge([1: "traffic class", 3: "flow label", 7: "hop limit", 20: "source"]) {
                    $1
                }
            }
            fields[start + 1] = "port"
            let options: [UInt8] = [1, 1, 1, 1]
            for (offset, name) in fields {
                let first = flow.tcp([1, 2], sequence: 1, options: options)
                var second = flow.tcp([3, 4], sequence: 3, options: options)
                #expect(counts([first, second]) == [2])
                second[offset] ^= name == "don't fragment" ? 0x40 : 1
                repairChecksums(&second)
                #expect(counts([first, second]) == [1, 1], "\(name)")
            }
        }
    }

    @Test func `A packet with a wrong checksum is merged with none`() {
        for flow in Self.flows {
            let packets = segments(flow, [100, 100, 100, 100])
            for index in 0..<4 {
                for offset in [
                    flow.headerOffset == 20 ? 10 : 8, flow.headerOffset + 16,
                    flow.headerOffset + 30,
                ] {
                    var damaged = packets
                    damaged[index][offset] ^= 0x10
                    let groups = coalesce(damaged)
                    #expect(
                        groups.contains { $0.packet == damaged[index] && !$0.header.needsChecksum })
                    #expect(
                        groups.reduce(0) {
                            $0
                                + ($1.header.segmentByteCount == 0
                                    ? 1 : payloadCount($1.packet, $1.header))
                        } == 4)
                }
            }
        }
    }

    @Test func `Identifications must count up where fragmenting is allowed`() {
        func packet(_ sequence: UInt32, _ identification: UInt16) -> [UInt8] {
            var packet = Flow.v4.tcp([1, 2], sequence: sequence)
            packet[6] = 0
            packet.store(identification, at: 4)
            repairChecksums(&packet)
            return packet
        }
        #expect(counts([packet(1, 0xFFFF), packet(3, 0), packet(5, 1)]) == [3])
        #expect(counts([packet(1, 7), packet(3, 7), packet(5, 8)]) == [1, 2])
    }

    @Test func `Interleaved flows are each merged in order`() {
        let other = Flow(
            source: Endpoint(Flow.v4.source.address, port: 40_001), destination: Flow.v4.destination
        )
        let one = segments(.v4, [100, 100, 100])
        let two = segments(other, [100, 100, 100])
        let three = segments(.v6, [100, 100, 100])
        #expect(counts((0..<3).flatMap { [one[$0], two[$0], three[$0]] }) == [3, 3, 3])
    }

    @Test func `Datagrams of one size become one packet of at most 64`() {
        for flow in Self.flows {
            let datagrams = (0..<70).map { flow.udp([UInt8](repeating: UInt8($0), count: 200)) }
            #expect(counts(datagrams) == [64, 6])
            #expect(counts(datagrams, kinds: .tcp) == [Int](repeating: 1, count: 70))
            let short = flow.udp([1])
            #expect(counts(Array(datagrams[..<2]) + [short] + Array(datagrams[..<2])) == [3, 2])
            if flow.source.address.isIPv4 {
                var without = datagrams[0]
                without.store(0, at: 26)
                #expect(counts([without, without]) == [1, 1])
            }
        }
    }

    @Test func `No packet grows beyond 65,535 bytes`() {
        for flow in Self.flows {
            let groups = coalesce(segments(flow, [Int](repeating: 1400, count: 60)))
            #expect(groups.count == 2)
            #expect(groups.allSatisfy { $0.packet.count <= 65_535 })
        }
    }

    @Test func `Fragments, options and other protocols pass as they are`() {
        var fragment = Flow.v4.udp([1, 2, 3, 4])
        fragment[6] = 0x20
        repairChecksums(&fragment)
        let echo = PacketBuilder.echo(
            from: Flow.v4.source.address, to: Flow.v4.destination.address, identifier: 1,
            sequence: 1)
        var longer = Flow.v4.udp([1, 2, 3, 4])
        longer.append(0)
        let packets = [fragment, fragment, echo, echo, longer, longer, [0x45], [], [0x60, 1]]
        let groups = coalesce(packets)
        #expect(groups.map(\.packet) == packets)
        #expect(groups.allSatisfy { $0.header == OffloadHeader() })
    }

    @Test func `A coalescer is empty again after removeAll`() {
        var coalescer = Coalescer(capacity: 4, kinds: [.tcp])
        let packet = Flow.v4.tcp([1, 2])
        for _ in 0..<3 {
            for _ in 0..<4 { coalescer.add(0..<packet.count, of: packet.span.bytes) }
            let (isFull, groups) = (coalescer.isFull, coalescer.groupCount)
            #expect(isFull && groups == 4)
            coalescer.removeAll()
            let left = coalescer.count
            #expect(left == 0)
        }
    }
}
