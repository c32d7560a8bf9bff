internal import CLinux
package import Segmentation

/// Packets of the host as they were read, perhaps super-packets, perhaps without checksum: each in a slot
/// of its own until it is removed. Memory is allocated once; slots that were used last are used first.
// Unchecked because of the pointer: the memory has one owner, which is what ~Copyable says.
@safe
package struct HostPackets: ~Copyable, @unchecked Sendable {
    /// The offload header and the longest packet, which begins at an aligned place.
    private static var packetOffset: Int { 16 }
    private static var byteCountMax: Int { 65_535 }
    private static var largeStride: Int { (packetOffset + byteCountMax + 4096) & ~4095 }
    /// Room for a packet as it crosses ordinary links.
    private static var smallStride: Int { 2048 }
    private static var start: Int { packetOffset - OffloadHeader.byteCount }

    /// Slots that hold any packet; they come first.
    private let largeCount: Int
    private let memory: UnsafeMutableRawBufferPointer
    private var byteCounts: [UInt32]
    private var freeLarge: [Int32]
    private var freeSmall: [Int32]

    package init(largeCount: Int, smallCount: Int) {
        self.largeCount = largeCount
        byteCounts = [UInt32](repeating: 0, count: largeCount + smallCount)
        freeLarge = (0..<Int32(largeCount)).reversed()
        freeSmall = (Int32(largeCount)..<Int32(largeCount + smallCount)).reversed()
        unsafe memory = .allocate(
            byteCount: largeCount * Self.largeStride + smallCount * Self.smallStride,
            alignment: 4096)
        // What was in the memory before is nobody's business, and untouched pages take no memory.
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
        releaseMemory()
    }

    deinit { unsafe memory.deallocate() }

    package var slotCount: Int { byteCounts.count }
    /// A packet of any length can be read.
    package var hasLargeRoom: Bool { !freeLarge.isEmpty }
    /// A packet of ordinary length does not take a large slot.
    package var hasSmallRoom: Bool { !freeSmall.isEmpty }

    /// What the host left to be done.
    package func offload(of slot: Int) -> OffloadHeader {
        OffloadHeader(bytes(of: slot, from: Self.start, count: OffloadHeader.byteCount))
    }

    /// The packet itself.
    @_lifetime(borrow self)
    package func bytes(of slot: Int) -> RawSpan {
        bytes(of: slot, from: Self.packetOffset, count: Int(byteCounts[slot]))
    }

    /// Frees the slot of a packet.
    package mutating func remove(_ slot: Int) {
        byteCounts[slot] = 0
        if slot < largeCount {
            freeLarge.append(Int32(slot))
        } else {
            freeSmall.append(Int32(slot))
        }
    }

    /// Gives the memory back to the system until it is next used. No packet may be there.
    package mutating func releaseMemory() {
        precondition(freeLarge.count + freeSmall.count == slotCount, "packets are in use")
        unsafe clinux_release_pages(memory.baseAddress, memory.count)
    }

    /// Lets `body` read header and packet into the memory; it returns how many bytes these are, or a
    /// negative number. Returns that and, if there is a packet, its slot. There must be large room.
    mutating func fill(_ body: (UnsafeMutableRawBufferPointer) -> Int) -> (read: Int, slot: Int) {
        guard let large = freeLarge.last else { preconditionFailure("no room for a packet") }
        let place = unsafe place(of: Int(large))
        let read = unsafe body(UnsafeMutableRawBufferPointer(rebasing: place[Self.start...]))
        let count = max(0, read - OffloadHeader.byteCount)
        guard count > 0 else { return (read, -1) }
        var slot = Int(large)
        if Self.packetOffset + count <= Self.smallStride, let small = freeSmall.popLast() {
            slot = Int(small)
            unsafe self.place(of: slot).baseAddress!.copyMemory(
                from: place.baseAddress!, byteCount: Self.packetOffset + count)
        } else {
            freeLarge.removeLast()
        }
        byteCounts[slot] = UInt32(count)
        return (read, slot)
    }

    private func place(of slot: Int) -> UnsafeMutableRawBufferPointer {
        let isLarge = slot < largeCount
        let offset =
            isLarge
            ? slot * Self.largeStride
            : largeCount * Self.largeStride + (slot - largeCount) * Self.smallStride
        let end = offset + (isLarge ? Self.largeStride : Self.smallStride)
        return unsafe UnsafeMutableRawBufferPointer(rebasing: memory[offset..<end])
    }

    @_lifetime(borrow self)
    private func bytes(of slot: Int, from offset: Int, count: Int) -> RawSpan {
        let place = unsafe place(of: slot)
        let bytes = unsafe UnsafeRawBufferPointer(rebasing: place[offset..<offset + count])
        return unsafe _overrideLifetime(RawSpan(_unsafeBytes: bytes), borrowing: self)
    }
}
