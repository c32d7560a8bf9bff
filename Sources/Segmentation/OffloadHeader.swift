internal import NetTypes

/// What stands in front of each packet of a TUN interface with offloads (`struct virtio_net_hdr`): what
/// the packet's sender left to the device. Its integers are in the machine's byte order.
///
/// | bytes | 0 | 1 | 2–3 | 4–5 | 6–7 | 8–9 |
/// |---|---|---|---|---|---|---|
/// | | flags | kind | header length | segment size | checksum start | checksum offset |
package struct OffloadHeader: Equatable, Sendable, BitwiseCopyable {
    package static var byteCount: Int { 10 }

    /// What a super-packet is to be cut into.
    package enum Kind: UInt8, Sendable {
        case none = 0
        case tcp4 = 1
        case tcp6 = 4
        /// Datagrams, of either family.
        case udp = 5
    }

    /// The transport checksum holds the sum of the pseudo-header only.
    package var needsChecksum: Bool
    /// As the kernel numbers it, without the bit that speaks of ECN.
    package var rawKind: UInt8
    /// Of all headers. The kernel's own is wrong for packets it forwards: set, never read.
    package var headerByteCount: UInt16
    /// Payload of each segment but the last, which may have less.
    package var segmentByteCount: UInt16
    /// Where the transport header begins.
    package var checksumStart: UInt16
    /// Where in it the checksum stands.
    package var checksumOffset: UInt16

    /// A packet that is complete.
    package init() {
        needsChecksum = false
        rawKind = 0
        headerByteCount = 0
        segmentByteCount = 0
        checksumStart = 0
        checksumOffset = 0
    }

    /// Reads the first `byteCount` bytes, which must be there.
    package init(_ bytes: RawSpan) {
        needsChecksum = bytes.byte(at: 0) & 1 != 0
        rawKind = bytes.byte(at: 1) & 0x7F
        headerByteCount = Self.native(bytes, at: 2)
        segmentByteCount = Self.native(bytes, at: 4)
        checksumStart = Self.native(bytes, at: 6)
        checksumOffset = Self.native(bytes, at: 8)
    }

    package func write(to bytes: inout MutableRawSpan) {
        bytes.storeBytes(of: needsChecksum ? 1 : 0, toByteOffset: 0, as: UInt8.self)
        bytes.storeBytes(of: rawKind, toByteOffset: 1, as: UInt8.self)
        bytes.storeBytes(of: headerByteCount, toByteOffset: 2, as: UInt16.self)
        bytes.storeBytes(of: segmentByteCount, toByteOffset: 4, as: UInt16.self)
        bytes.storeBytes(of: checksumStart, toByteOffset: 6, as: UInt16.self)
        bytes.storeBytes(of: checksumOffset, toByteOffset: 8, as: UInt16.self)
    }

    static func native(_ bytes: RawSpan, at offset: Int) -> UInt16 {
        unsafe bytes.extracting(offset..<offset + 2).unsafeLoadUnaligned(as: UInt16.self)
    }
}
