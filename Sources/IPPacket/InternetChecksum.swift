public import NetTypes

/// The ones' complement sum of RFC 1071, built up over several pieces.

@frozen
public struct InternetChecksum: Equatable, Sendable, BitwiseCopyable {
    /// The unfolded sum of 16-bit words in network byte order.
    @usableFromInline var sum: UInt64

    @inlinable public init() { sum = 0 }

    /// Adds bytes. Only the last piece may have an odd length: its missing byte counts as zero.
    public mutating func add(_ bytes: RawSpan) {
        let words = unsafe bytes.withUnsafeBytes { unsafe Self.sumOfNativeWords($0) }
        add(Self.fold(words).byteSwappedOnLittleEndian)
    }
    @inlinable public mutating func add(_ word: UInt16) { sum += UInt64(word) }
    @inlinable public mutating func add(_ word: UInt32) { sum += UInt64(word) }
    @inlinable public mutating func add(_ address: IPAddress) {
        switch address {
        case .v4(let value): add(value.bits)
        case .v6(let value):
            add(UInt32(truncatingIfNeeded: value.high >> 32))
            add(UInt32(truncatingIfNeeded: value.high))
            add(UInt32(truncatingIfNeeded: value.low >> 32))
            add(UInt32(truncatingIfNeeded: value.low))
        }
    }

    /// The pseudo-header of UDP, TCP and ICMPv6 (RFC 9293 §3.1, RFC 8200 §8.1).
    package mutating func addPseudoHeader(
        source: IPAddress, destination: IPAddress, protocol number: IPProtocol, byteCount: Int
    ) {
        add(source)
        add(destination)
        add(UInt16(number.rawValue))
        add(UInt32(truncatingIfNeeded: byteCount))
    }

    /// What belongs into the checksum field. The sum over data with a right checksum gives 0.
    @inlinable public var value: UInt16 { ~Self.fold(sum) }
    /// The sum folded to 16 bits but not complemented: what checksum offload wants in the field.
    @inlinable public var partial: UInt16 { Self.fold(sum) }

    /// The checksum `old` of data in which the word `from` has become `to` (RFC 1624, equation 3).
    @inlinable
    public static func updated(_ old: UInt16, from: UInt16, to: UInt16) -> UInt16 {
        ~fold(UInt64(~old) + UInt64(~from) + UInt64(to))
    }
    /// The checksum `old` of data in which the two words `from` have become `to`.
    @inlinable
    public static func updated(_ old: UInt16, from: UInt32, to: UInt32) -> UInt16 {
        ~fold(UInt64(~old) + UInt64(~from) + UInt64(to))
    }

    @inlinable
    static func fold(_ sum: UInt64) -> UInt16 {
        var value = (sum & 0xFFFF_FFFF) + (sum >> 32)
        value = (value & 0xFFFF) + (value >> 16)
        value = (value & 0xFFFF) + (value >> 16)
        return UInt16(truncatingIfNeeded: (value & 0xFFFF) + (value >> 16))
    }

    /// The unfolded sum of the words in the machine's byte order: their order does not matter to a
    /// ones' complement sum until it is folded (RFC 1071 §2B).
    private static func sumOfNativeWords(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var offset = 0
        var low = SIMD4<UInt64>.zero
        var high = SIMD4<UInt64>.zero
        let mask = SIMD4<UInt64>(repeating: 0xFFFF_FFFF)
        // Lanes cannot overflow: each adds 32 bits, for at most 64 KiB / 32 rounds.
        while bytes.count - offset >= 32 {
            let words = unsafe bytes.loadUnaligned(fromByteOffset: offset, as: SIMD4<UInt64>.self)
            low &+= words & mask
            high &+= words &>> 32
            offset += 32
        }
        var sum = low.wrappedSum() &+ high.wrappedSum()
        while bytes.count - offset >= 4 {
            sum &+= UInt64(
                unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
            offset += 4
        }
        if bytes.count - offset >= 2 {
            sum &+= UInt64(
                unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
            offset += 2
        }
        if offset < bytes.count {
            sum &+= UInt64((UInt16(unsafe bytes[offset]) << 8).byteSwappedOnLittleEndian)
        }
        return sum
    }
}

extension UInt16 {
    /// From the machine's byte order to that of the network or back.
    fileprivate var byteSwappedOnLittleEndian: UInt16 { bigEndian }
}
