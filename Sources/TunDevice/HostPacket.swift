internal import CLinux
package import Segmentation

/// One packet of the host as it was read: perhaps a super-packet, perhaps without checksum.
// Unchecked because of the pointer: the memory has one owner, which is what ~Copyable says.
@safe
package struct HostPacket: ~Copyable, @unchecked Sendable {
    /// The offload header and the longest packet, which begins at an aligned place.
    private static var packetOffset: Int { 16 }
    private static var byteCountMax: Int { 65_535 }

    let memory: UnsafeMutableRawBufferPointer
    private(set) var byteCount = 0

    package init() {
        unsafe memory = .allocate(
            byteCount: Self.packetOffset + Self.byteCountMax + 1, alignment: 4096)
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
        releaseMemory()
    }

    deinit { unsafe memory.deallocate() }

    /// What the host left to be done.
    package var offload: OffloadHeader {
        OffloadHeader(all.extracting(0..<OffloadHeader.byteCount))
    }

    /// The packet itself.
    package var bytes: RawSpan {
        @_lifetime(borrow self)
        get { all.extracting(OffloadHeader.byteCount..<OffloadHeader.byteCount + byteCount) }
    }

    /// Gives the memory back to the system until it is next used.
    package mutating func releaseMemory() {
        byteCount = 0
        unsafe clinux_release_pages(memory.baseAddress, memory.count)
    }

    private var all: RawSpan {
        @_lifetime(borrow self)
        get {
            let bytes = unsafe UnsafeRawBufferPointer(rebasing: memory[start...])
            return unsafe _overrideLifetime(RawSpan(_unsafeBytes: bytes), borrowing: self)
        }
    }

    private var start: Int { Self.packetOffset - OffloadHeader.byteCount }

    /// Lets `body` read header and packet into the memory; it returns how many bytes these are, or a
    /// negative number.
    mutating func fill(_ body: (UnsafeMutableRawBufferPointer) -> Int) -> Int {
        let read = unsafe body(UnsafeMutableRawBufferPointer(rebasing: memory[start...]))
        byteCount = max(0, read - OffloadHeader.byteCount)
        return read
    }
}
