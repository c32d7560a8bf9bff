import DERP
import NIOCore
import NetTypes
import Testing

@testable import RelayServer

@Suite struct InboundRunsTests {
    private let source = NodeKey(Bytes32([UInt8](repeating: 1, count: 32)))
    private let receivers = (10..<14).map { NodeKey(Bytes32([UInt8](repeating: $0, count: 32))) }

    private func append(_ packet: [UInt8], to receiver: Int, _ runs: inout InboundRuns) {
        runs.append(
            packet.span.bytes, from: source, to: receivers[receiver], isForwarded: false,
            remaining: 100_000)
    }

    /// The packets of a run, read back as its receiver will.
    private func packets(_ run: InboundRun) throws -> [[UInt8]] {
        let bytes = Array(buffer: run.frames)
        var splitter = FrameSplitter(limits: .client)
        var offset = 0
        var packets: [[UInt8]] = []
        while case .frame(let type, let range) = try splitter.next(
            in: bytes.span.bytes, from: &offset)
        {
            #expect(type == .receivePacket)
            #expect(Array(bytes[range].prefix(32)) == source.bytes.array)
            packets.append(Array(bytes[range].dropFirst(32)))
        }
        #expect(offset == bytes.count)
        return packets
    }

    @Test func packetsToOneReceiverStayTogetherAndInOrder() throws {
        var runs = InboundRuns()
        for number: UInt8 in 0..<60 {
            append([UInt8](repeating: number, count: 1_000), to: Int(number) % 3, &runs)
        }
        let taken = runs.take()
        #expect(runs.isEmpty)
        // Each receiver's 20 packets need two runs of 16 KiB.
        #expect(taken.count == 6)
        for receiver in 0..<3 {
            let own = taken.filter { $0.destination == receivers[receiver] }
            let numbers = try own.flatMap { try packets($0).map { $0[0] } }
            #expect(numbers == (0..<60).filter { Int($0) % 3 == receiver })
            for run in own {
                let count = try packets(run).count
                #expect(run.packetCount == count && run.byteCount == count * 1_000)
                #expect(run.frames.storageCapacity <= 2 * run.frames.readableBytes + 512)
            }
        }
    }

    @Test func discoAndWhatIsHandedOnAreKeptApart() throws {
        var runs = InboundRuns()
        let disco: [UInt8] =
            [0x54, 0x53, 0xF0, 0x9F, 0x92, 0xAC] + [UInt8](repeating: 0, count: 90)
        append([1], to: 0, &runs)
        append(disco, to: 0, &runs)
        append([2], to: 0, &runs)
        runs.append(
            [3].span.bytes, from: source, to: receivers[0], isForwarded: true, remaining: 0)
        append([UInt8](repeating: 4, count: 64 << 10), to: 0, &runs)
        let taken = runs.take()
        #expect(taken.map(\.isDisco) == [false, true, false, false])
        #expect(taken.map { $0.forwardedFrom != nil } == [false, false, true, false])
        let first = try packets(taken[0])
        #expect(first == [[1], [2]])
        #expect(taken[3].byteCount == 64 << 10)
    }
}
