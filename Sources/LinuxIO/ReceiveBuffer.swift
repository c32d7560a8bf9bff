package import CLinux
package import NetTypes

/// Trains of datagrams as they arrive, in memory that is allocated once: each has a place of 64 KiB, and
/// its datagrams lie in it one behind the other, where an engine opens them.
// Unchecked because of the pointers: the memory has one owner, which is what ~Copyable says.
@safe
package struct ReceiveBuffer: ~Copyable, @unchecked Sendable {
    /// Trains that one system call may bring.
    package static var trainCapacity: Int { 8 }
    /// The place of a train.
    package static var placeByteCount: Int { 1 << 16 }

    /// Datagrams of one sender.
    package struct Train: Sendable {
        /// Where in the memory they lie.
        package var range: Range<Int>
        /// Of each but the last, which may be shorter.
        package var segmentByteCount: Int
        package var source: Endpoint?
        /// The two ECN bits of the IP header.
        package var ecn: UInt8
        /// What arrived was longer than the place: nothing of it is kept.
        package var isTruncated: Bool
    }

    package private(set) var trainCount = 0
    /// Where the next appended packet begins.
    private var position = 0
    @usableFromInline let memory: UnsafeMutableRawBufferPointer
    private let trains: UnsafeMutablePointer<clinux_train>

    package init() {
        unsafe memory = .allocate(
            byteCount: Self.trainCapacity * Self.placeByteCount, alignment: 4096)
        unsafe trains = .allocate(capacity: Self.trainCapacity)
        unsafe trains.initialize(repeating: clinux_train(), count: Self.trainCapacity)
        // What was in the memory before is nobody's business, and untouched pages take no memory.
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
        releaseMemory()
    }

    deinit {
        unsafe memory.deallocate()
        unsafe trains.deallocate()
    }

    package mutating func removeAll() {
        trainCount = 0
        position = 0
    }

    /// Gives the memory back to the system until it is next used.
    package mutating func releaseMemory() {
        removeAll()
        unsafe clinux_release_pages(memory.baseAddress, memory.count)
    }

    package func train(at index: Int) -> Train {
        precondition(index >= 0 && index < trainCount, "no such train")
        let train = unsafe trains[index]
        let start = index * Self.placeByteCount
        // What was cut off is no train: its last datagram is not whole.
        let count = unsafe train.truncated != 0 ? 0 : Int(train.count)
        return unsafe Train(
            range: start..<start + count, segmentByteCount: Int(train.segment),
            source: Endpoint(train.address), ecn: train.ecn, isTruncated: train.truncated != 0)
    }

    /// All of the memory.
    @inlinable package var bytes: RawSpan {
        @_lifetime(borrow self)
        get {
            let bytes = unsafe UnsafeRawBufferPointer(memory)
            return unsafe _overrideLifetime(RawSpan(_unsafeBytes: bytes), borrowing: self)
        }
    }

    /// All of the memory.
    @inlinable package var mutableBytes: MutableRawSpan {
        @_lifetime(&self)
        mutating get {
            unsafe _overrideLifetime(MutableRawSpan(_unsafeBytes: memory), mutating: &self)
        }
    }

    /// Copies a packet that came another way behind what was appended since `removeAll`. Nil when there
    /// is no room. Not to be mixed with trains.
    package mutating func append(_ packet: RawSpan) -> Range<Int>? {
        guard unsafe position + packet.byteCount <= memory.count else { return nil }
        let range = position..<position + packet.byteCount
        var bytes = mutableBytes
        bytes.copy(packet, at: range.lowerBound)
        position = range.upperBound
        return range
    }

    // MARK: For drivers

    /// Receives by `body`, which gets all places with their capacities and returns how many it has
    /// filled, or a negative number.
    package mutating func fill(
        _ body: (UnsafeMutableBufferPointer<clinux_train>) -> Int32
    ) -> Int32 {
        removeAll()
        for index in 0..<Self.trainCapacity {
            unsafe trains[index].bytes = memory.baseAddress! + index * Self.placeByteCount
            unsafe trains[index].count = UInt32(Self.placeByteCount)
        }
        let filled = unsafe body(
            UnsafeMutableBufferPointer(start: trains, count: Self.trainCapacity))
        trainCount = max(0, Int(filled))
        return filled
    }
}
