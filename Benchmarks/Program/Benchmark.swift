import CMeasurement
import NetTypes

/// One thing that happens to every packet, ready to be repeated.
struct Benchmark {
    let name: String
    /// Makes ready for so many packets, and returns what is done to the packet of a number, which rises
    /// from 0.
    let prepare: (Int) -> (Int) -> Void

    static let warmUp = 1_000

    init(_ name: String, _ prepare: @escaping (Int) -> (Int) -> Void) {
        self.name = name
        self.prepare = prepare
    }

    struct Result {
        var name: String
        var count: Int
        var allocations: Int64
        var nanosecondsPerPacket: Double

        /// As a line that scripts read.
        var text: String {
            "\(name) packets=\(count) allocations=\(allocations) "
                + "nanoseconds=\(Int(nanosecondsPerPacket + 0.5))"
        }
    }

    /// Repeats it until nothing is new, then `count` times under the eyes of the counters.
    func run(count: Int) -> Result {
        let body = prepare(Self.warmUp + count)
        for number in 0..<Self.warmUp { body(number) }
        let clock = ContinuousClock()
        let before = cmeasurement_allocations()
        let start = clock.now
        cmeasurement_begin()
        for number in Self.warmUp..<Self.warmUp + count { body(number) }
        cmeasurement_end()
        let took = start.duration(to: clock.now)
        let allocations = cmeasurement_allocations() - before
        return Result(
            name: name, count: count, allocations: allocations,
            nanosecondsPerPacket: took / .nanoseconds(1) / Double(count))
    }
}

/// Memory for packets that lives as long as the program.
struct PacketMemory {
    static let slotByteCount = 2048
    private let bytes: UnsafeMutableRawBufferPointer

    init(slots: Int) {
        bytes = .allocate(byteCount: max(1, slots) * Self.slotByteCount, alignment: 64)
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }

    subscript(slot: Int) -> UnsafeMutableRawBufferPointer {
        .init(rebasing: bytes[slot * Self.slotByteCount..<(slot + 1) * Self.slotByteCount])
    }

    func put(_ packet: [UInt8], at offset: Int, inSlot slot: Int) {
        UnsafeMutableRawBufferPointer(rebasing: self[slot][offset...]).copyBytes(from: packet)
    }
}
