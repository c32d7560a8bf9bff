import DERP
import NIOCore
import NetTypes
import Testing

@testable import DERPClient

@Suite struct OutboxTests {
    private let now = MonotonicInstant(nanoseconds: 1_000_000_000_000)

    private func append(
        _ packet: [UInt8], to outbox: inout Outbox, bytesMax: Int = 1 << 20,
        at now: MonotonicInstant? = nil
    ) -> Int {
        outbox.append(packet.span.bytes, to: .zero, bytesMax: bytesMax, at: now ?? self.now)
    }

    private func disco() -> [UInt8] {
        [0x54, 0x53, 0xF0, 0x9F, 0x92, 0xAC] + [UInt8](repeating: 0, count: 100)
    }

    @Test func packetsAreJoinedIntoFramesReadyToWrite() {
        var outbox = Outbox()
        var expected: [UInt8] = []
        for size in 0..<10 {
            let packet = [UInt8](repeating: UInt8(size), count: size)
            _ = append(packet, to: &outbox)
            expected.appendPacketFrame(.sendPacket, .zero, packet)
        }
        let first = outbox.popNext()
        #expect(first.map { Array(buffer: $0) } == expected)
        let none = outbox.popNext()
        #expect(none == nil && outbox.isEmpty)
    }

    @Test func discoGoesFirst() {
        var outbox = Outbox()
        _ = append([1], to: &outbox)
        _ = append(disco(), to: &outbox)
        let first = outbox.popNext()
        #expect(first?.readableBytes == 37 + 106)
    }

    @Test func theBoundCostsTheOldestAndIsCounted() {
        var outbox = Outbox()
        var dropped = 0
        for _ in 0..<1_000 {
            dropped += append([UInt8](repeating: 0, count: 1_400), to: &outbox, bytesMax: 100_000)
        }
        var waiting = 0
        while let chunk = outbox.popNext() { waiting += chunk.readableBytes }
        #expect(waiting <= 100_000 && waiting > 60_000)
        #expect(dropped + waiting / 1_437 == 1_000)
    }

    @Test func whatWaitedTooLongIsDropped() {
        var outbox = Outbox()
        _ = append([1], to: &outbox)
        _ = append(disco(), to: &outbox)
        let dropped = outbox.dropBegun(before: now + .seconds(1))
        #expect(dropped == 2 && outbox.isEmpty)
    }
}
