import IPPacket
import NetTypes
import Segmentation
import Testing

@Suite struct SplitterTests {
    private static let flows = [Flow.v4, Flow.v6]

    @Test func `An offload header survives being written`() {
        var header = makeSuper(Flow.v4.tcp([1, 2, 3]), segment: 2).header
        header.headerByteCount = 0x1234
        var bytes = [UInt8](repeating: 0, count: OffloadHeader.byteCount)
        var span = bytes.mutableSpan
        var target = span.mutableBytes
        header.write(to: &target)
        let again = OffloadHeader(bytes.span.bytes)
        #expect(again == header)
        bytes[1] |= 0x80
        let withECN = OffloadHeader(bytes.span.bytes)
        #expect(withECN == header)
    }

    @Test func `A TCP super-packet becomes segments in sequence, flags where they belong`() throws {
        var random = SeededGenerator(seed: 11)
        for flow in Self.flows {
            let payload = [UInt8].random(count: 1000 * 6 + 1, using: &random)
            let options: [UInt8] = [1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8]
            var whole = flow.tcp(
                payload, sequence: 0xFFFF_FF00, flags: [.ack, .psh, .fin, .cwr], options: options)
            if flow.source.address.isIPv4 { whole.store(0xFFFE, at: 4) }
            let (header, packet) = makeSuper(whole, segment: 1000)
            let segments = try split(header, packet)
            #expect(segments.count == 7)
            var collected: [UInt8] = []
            for (index, segment) in segments.enumerated() {
                #expect(isIntact(segment))
                let parsed = try ParsedPacket(segment.span.bytes)
                let tcp = try TCPView(
                    segment.span.bytes.extracting(parsed.transportOffset..<segment.count))
                #expect(parsed.byteCount == segment.count)
                let sequence = tcp.sequence
                #expect(sequence == 0xFFFF_FF00 &+ UInt32(index * 1000))
                let flags = tcp.flags
                var expected: TCPFlags = [.ack]
                if index == 6 { expected.formUnion([.psh, .fin]) }
                if index == 0 { expected.insert(.cwr) }
                #expect(flags == expected)
                let optionBytes = tcp.options.array
                #expect(optionBytes == options)
                if flow.source.address.isIPv4 {
                    #expect(segment.word(at: 4) == 0xFFFE &+ UInt16(index))
                }
                collected += tcp.payload.array
            }
            #expect(collected == payload)
        }
    }

    @Test func `A UDP super-packet becomes datagrams`() throws {
        var random = SeededGenerator(seed: 12)
        for flow in Self.flows {
            let payload = [UInt8].random(count: 3 * 1200 + 7, using: &random)
            let (header, packet) = makeSuper(flow.udp(payload), segment: 1200)
            let datagrams = try split(header, packet)
            #expect(
                datagrams.map(\.count) == [1200, 1200, 1200, 7].map { $0 + flow.headerOffset + 8 })
            for datagram in datagrams {
                #expect(isIntact(datagram))
                #expect(
                    Int(datagram.word(at: flow.headerOffset + 4)) == datagram.count
                        - flow.headerOffset)
            }
            #expect(datagrams.flatMap { $0[(flow.headerOffset + 8)...] } == payload)
        }
    }

    @Test func `Extension headers of IPv6 are repeated in each segment`() throws {
        var random = SeededGenerator(seed: 15)
        // Hop-by-hop options, 16 bytes; destination options, 8 bytes; padding in both.
        let extensions: [UInt8] =
            [60, 1, 1, 12] + [UInt8](repeating: 0, count: 12) + [0, 0, 1, 4, 0, 0, 0, 0]
        for isTCP in [true, false] {
            let payload = [UInt8].random(count: 2 * 700 + 9, using: &random)
            let plain = makeSuper(
                isTCP ? Flow.v6.tcp(payload) : Flow.v6.udp(payload), segment: 700)
            var header = plain.header
            header.checksumStart += UInt16(extensions.count)
            var packet = plain.packet
            packet.insert(contentsOf: extensions, at: 40)
            packet.store(packet.word(at: 4) + UInt16(extensions.count), at: 4)
            packet[40 + 16] = packet[6]
            packet[6] = 0
            let segments = try split(header, packet)
            #expect(segments.count == 3)
            for (segment, without) in zip(segments, try split(plain.header, plain.packet)) {
                var expected = without
                expected.insert(contentsOf: packet[40..<40 + extensions.count], at: 40)
                expected.store(without.word(at: 4) + UInt16(extensions.count), at: 4)
                expected[6] = 0
                #expect(segment == expected)
            }
            for count in [41, 47, 56, 63] {
                var short = Array(packet[..<count])
                short.store(UInt16(count - 40), at: 4)
                #expect(throws: Splitter.Failure.self) { try split(header, short) }
            }
            var routed = packet
            routed[6] = 43
            #expect(throws: Splitter.Failure.kindMismatch) { try split(header, routed) }
        }
    }

    @Test func `A checksum that was begun is completed`() throws {
        var random = SeededGenerator(seed: 13)
        for flow in Self.flows {
            for count in [0, 1, 2, 33, 1000] {
                let payload = [UInt8].random(count: count, using: &random)
                for whole in [flow.tcp(payload), flow.udp(payload)] {
                    let isTCP = whole[flow.source.address.isIPv4 ? 9 : 6] == 6
                    let field = flow.headerOffset + (isTCP ? 16 : 6)
                    var unfinished = whole
                    unfinished.store(0, at: field)
                    var sum = InternetChecksum()
                    sum.addPseudoHeader(
                        source: flow.source.address, destination: flow.destination.address,
                        protocol: isTCP ? .tcp : .udp, byteCount: whole.count - flow.headerOffset)
                    unfinished.store(sum.partial, at: field)
                    var header = OffloadHeader()
                    header.needsChecksum = true
                    header.checksumStart = UInt16(flow.headerOffset)
                    header.checksumOffset = isTCP ? 16 : 6
                    let packets = try split(header, unfinished)
                    #expect(packets == [whole])
                    let untouched = try split(OffloadHeader(), unfinished)
                    #expect(untouched == [unfinished])
                }
            }
        }
    }

    @Test func `Headers that contradict the packet are refused`() {
        let tcp = makeSuper(Flow.v4.tcp([UInt8](repeating: 1, count: 5000)), segment: 1000)
        func failure(
            _ change: (inout OffloadHeader, inout [UInt8]) -> Void
        ) -> Splitter.Failure? {
            var (header, packet) = tcp
            change(&header, &packet)
            do throws(Splitter.Failure) {
                _ = try Splitter(header, packet: packet.span.bytes)
                return nil
            } catch {
                return error
            }
        }
        #expect(failure { _, _ in } == nil)
        #expect(failure { header, _ in header.rawKind = 3 } == .unknownKind(3))
        #expect(failure { header, _ in header.rawKind = 4 } == .kindMismatch)
        #expect(failure { header, _ in header.rawKind = 5 } == .kindMismatch)
        #expect(failure { header, _ in header.segmentByteCount = 0 } == .noSegmentSize)
        #expect(failure { header, _ in header.segmentByteCount = 2 } == .tooManySegments(2500))
        #expect(failure { header, _ in header.checksumStart = 24 } == .badChecksumStart)
        #expect(failure { _, packet in packet.removeLast() } == .packet(.badTotalLength(5040)))
        #expect(failure { _, packet in packet.append(0) } == .packet(.badTotalLength(5040)))
        #expect(failure { _, packet in packet[32] = 4 << 4 } == .packet(.badHeaderLength(16)))
        #expect(failure { _, packet in packet[6] = 0x20 } == .fragment)
        #expect(failure { _, packet in packet = [] } != nil)
        #expect(
            failure { header, _ in
                header.rawKind = 0
                header.checksumOffset = 5020
            } == .badChecksumOffset)
    }

    @Test func `Whatever the headers say, all segments have a true length or there are none`() {
        var random = SeededGenerator(seed: 14)
        for round in 0..<20_000 {
            let payload = [UInt8](
                repeating: UInt8(truncatingIfNeeded: round),
                count: Int.random(in: 0...300, using: &random))
            let flow = Bool.random(using: &random) ? Flow.v4 : .v6
            var (header, packet) = makeSuper(
                Bool.random(using: &random) ? flow.tcp(payload) : flow.udp(payload), segment: 64)
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                packet[Int.random(in: 0..<min(80, packet.count), using: &random)] =
                    UInt8.random(in: 0...255, using: &random)
            }
            switch Int.random(in: 0...5, using: &random) {
            case 0: header.segmentByteCount = UInt16.random(in: 0...400, using: &random)
            case 1: header.checksumStart = UInt16.random(in: 0...400, using: &random)
            case 2: header.checksumOffset = UInt16.random(in: 0...400, using: &random)
            case 3: header.rawKind = UInt8.random(in: 0...6, using: &random)
            case 4: packet.removeLast(Int.random(in: 0...packet.count, using: &random))
            default: break
            }
            guard let segments = try? split(header, packet) else { continue }
            for segment in segments where header.rawKind != 0 {
                let parsed = try? ParsedPacket(segment.span.bytes)
                #expect(parsed?.byteCount == segment.count)
                #expect(isIntact(segment))
            }
        }
    }
}
