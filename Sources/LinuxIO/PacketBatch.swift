package import CLinux
package import NetTypes

/// Up to 64 packets on their way through a packet thread, in memory that is allocated once.
///
/// The memory is cut into slots of equal size. A driver fills the first `count` slots, leaving
/// `headroom` bytes before each payload and `tailroom` after the largest one, so that an engine can
/// seal or open in place and just move the bounds of the payload. A payload that is set empty is
/// skipped by the drivers that send.
// Unchecked because of the pointers: the memory has one owner, which is what ~Copyable says.
@safe
package struct PacketBatch: ~Copyable, @unchecked Sendable {
    /// Slots in a batch, and the most datagrams one system call moves.
    package static var capacity: Int { Int(CLINUX_BATCH) }

    package let slotByteCount: Int
    /// Bytes kept free before a payload that a driver receives.
    package let headroom: Int
    /// Bytes kept free behind the largest payload that a driver receives.
    package let tailroom: Int
    /// Slots in use.
    @usableFromInline package private(set) var count = 0
    /// Datagrams that were larger than a slot holds; they stand in the batch with an empty payload.
    package private(set) var truncatedCount = 0

    @usableFromInline let memory: UnsafeMutableRawBufferPointer
    /// `bytes` and `count` are the payload, `address` is where a slot came from or goes to; family 0
    /// is nowhere.
    @usableFromInline let slots: UnsafeMutableBufferPointer<clinux_datagram>

    package init(slotByteCount: Int = 2048, headroom: Int = 64, tailroom: Int = 64) {
        precondition(
            headroom >= 0 && tailroom >= 0 && headroom + tailroom < slotByteCount,
            "a slot has room for a payload")
        // Slots begin on cache lines.
        self.slotByteCount = (slotByteCount + 63) & ~63
        self.headroom = headroom
        self.tailroom = tailroom
        unsafe memory = .allocate(byteCount: self.slotByteCount * Self.capacity, alignment: 64)
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
        unsafe slots = .allocate(capacity: Self.capacity)
        unsafe slots.initialize(repeating: clinux_datagram())
        for index in 0..<Self.capacity { resetSlot(index) }
    }

    deinit {
        unsafe memory.deallocate()
        unsafe slots.deallocate()
    }

    /// The largest payload a driver receives into a slot.
    package var payloadMax: Int { slotByteCount - headroom - tailroom }
    @inlinable package var isFull: Bool { count == Self.capacity }

    /// Forgets all packets; the memory keeps their bytes.
    package mutating func removeAll() {
        count = 0
        truncatedCount = 0
    }

    /// Takes the next slot into use: an empty payload at `headroom`, no endpoint. Returns its
    /// index. The batch must not be full.
    @discardableResult
    package mutating func appendSlot() -> Int {
        precondition(!isFull, "the batch is full")
        resetSlot(count)
        unsafe slots[count].count = 0
        count += 1
        return count - 1
    }

    /// Gives back the last slot.
    package mutating func removeLast() {
        precondition(count > 0, "the batch is empty")
        count -= 1
    }

    /// Takes the next slot into use with a copy of `packet` at `headroom`. Returns its index, or
    /// nil when the batch is full or the packet larger than `payloadMax`.
    @discardableResult
    package mutating func append(_ packet: RawSpan, endpoint: Endpoint? = nil) -> Int? {
        guard !isFull, packet.byteCount <= payloadMax else { return nil }
        let index = appendSlot()
        let start = headroom
        var slot = slot(at: index)
        slot.copy(packet, at: start)
        setPayload(start..<start + packet.byteCount, at: index)
        if let endpoint { setEndpoint(endpoint, at: index) }
        return index
    }

    // MARK: One slot

    /// All bytes of a slot: headroom, payload, tailroom.
    @inlinable
    @_lifetime(&self)
    package mutating func slot(at index: Int) -> MutableRawSpan {
        check(index)
        let start = index * slotByteCount
        let bytes = unsafe UnsafeMutableRawBufferPointer(
            rebasing: memory[start..<start + slotByteCount])
        return unsafe _overrideLifetime(MutableRawSpan(_unsafeBytes: bytes), mutating: &self)
    }

    /// The payload of a slot.
    @inlinable
    @_lifetime(borrow self)
    package func payload(at index: Int) -> RawSpan {
        check(index)
        let bytes = unsafe UnsafeRawBufferPointer(
            start: slots[index].bytes, count: Int(slots[index].count))
        return unsafe _overrideLifetime(RawSpan(_unsafeBytes: bytes), borrowing: self)
    }

    /// Where in its slot the payload stands.
    @inlinable
    package func payloadRange(at index: Int) -> Range<Int> {
        check(index)
        let start = unsafe slots[index].bytes - (memory.baseAddress! + index * slotByteCount)
        return start..<start + Int(unsafe slots[index].count)
    }

    /// Moves the bounds of the payload. An empty range drops the packet.
    @inlinable
    package mutating func setPayload(_ range: Range<Int>, at index: Int) {
        check(index)
        precondition(
            range.lowerBound >= 0 && range.upperBound <= slotByteCount, "outside of the slot")
        unsafe slots[index].bytes = memory.baseAddress! + index * slotByteCount + range.lowerBound
        unsafe slots[index].count = UInt32(range.count)
    }

    /// Makes the payload empty: no driver will send it.
    @inlinable
    package mutating func drop(at index: Int) {
        check(index)
        unsafe slots[index].count = 0
    }

    /// Where a received datagram came from, or where this one shall be sent to.
    @inlinable
    package func endpoint(at index: Int) -> Endpoint? {
        check(index)
        return unsafe Endpoint(slots[index].address)
    }

    /// Nil: no UDP socket sends this packet.
    @inlinable
    package mutating func setEndpoint(_ endpoint: Endpoint?, at index: Int) {
        check(index)
        unsafe slots[index].address = clinux_address(endpoint)
    }

    // MARK: For drivers

    /// Receives into all slots by `body`, which gets the slots with their capacities and returns
    /// how many it has filled, or a negative number.
    package mutating func fill(
        _ body: (UnsafeMutableBufferPointer<clinux_datagram>) -> Int32
    ) -> Int32 {
        removeAll()
        for index in 0..<Self.capacity { resetSlot(index) }
        let filled = unsafe body(slots)
        count = max(0, Int(filled))
        for index in 0..<count where unsafe slots[index].truncated != 0 {
            unsafe slots[index].count = 0
            truncatedCount += 1
        }
        return filled
    }

    /// The slots in use, for a driver to send from.
    package func withSlots<Result>(
        _ body: (UnsafeBufferPointer<clinux_datagram>) -> Result
    ) -> Result {
        unsafe body(UnsafeBufferPointer(rebasing: slots[..<count]))
    }

    @inlinable
    func check(_ index: Int) {
        precondition(index >= 0 && index < count, "no such slot in use")
    }

    private func resetSlot(_ index: Int) {
        unsafe slots[index].bytes = memory.baseAddress! + index * slotByteCount + headroom
        unsafe slots[index].count = UInt32(payloadMax)
        unsafe slots[index].truncated = 0
        unsafe slots[index].address.family = 0
    }
}
