package import NetTypes

/// A view of an IPv4 packet (RFC 791). Once made, its accessors cannot fail.

package struct IPv4View: ~Escapable {
    @usableFromInline let bytes: RawSpan

    @usableFromInline enum Offset {
        @usableFromInline static var versionAndLength: Int { 0 }
        @usableFromInline static var trafficClass: Int { 1 }
        @usableFromInline static var totalLength: Int { 2 }
        @usableFromInline static var identification: Int { 4 }
        @usableFromInline static var fragment: Int { 6 }
        @usableFromInline static var timeToLive: Int { 8 }
        @usableFromInline static var transport: Int { 9 }
        @usableFromInline static var checksum: Int { 10 }
        @usableFromInline static var source: Int { 12 }
        @usableFromInline static var destination: Int { 16 }
    }
    /// Bytes of a header without options.
    @inlinable package static var headerByteCount: Int { 20 }

    /// Bytes behind the packet's total length are left out.
    @inlinable
    @_lifetime(copy packet)
    package init(_ packet: RawSpan) throws(IPPacketError) {
        guard packet.byteCount >= Self.headerByteCount else {
            throw .truncated(needed: Self.headerByteCount, have: packet.byteCount)
        }
        let first = packet.byte(at: Offset.versionAndLength)
        guard first >> 4 == 4 else { throw .badVersion(first >> 4) }
        let header = Int(first & 15) * 4
        guard header >= Self.headerByteCount else { throw .badHeaderLength(header) }
        let total = Int(packet.bigEndian(at: Offset.totalLength, as: UInt16.self))
        guard total >= header, total <= packet.byteCount else { throw .badTotalLength(total) }
        bytes = packet.extracting(0..<total)
    }

    @inlinable package var headerByteCount: Int {
        Int(bytes.byte(at: Offset.versionAndLength) & 15) * 4
    }
    @inlinable package var totalByteCount: Int { bytes.byteCount }
    /// DSCP in the upper six bits, ECN in the lower two.
    @inlinable package var trafficClass: UInt8 { bytes.byte(at: Offset.trafficClass) }
    @inlinable package var identification: UInt16 { bytes.bigEndian(at: Offset.identification) }
    @inlinable package var dontFragment: Bool { fragmentField & 0x4000 != 0 }
    @inlinable package var moreFragments: Bool { fragmentField & 0x2000 != 0 }
    /// In bytes.
    @inlinable package var fragmentOffset: Int { Int(fragmentField & 0x1FFF) * 8 }
    @inlinable package var timeToLive: UInt8 { bytes.byte(at: Offset.timeToLive) }
    @inlinable package var `protocol`: IPProtocol {
        IPProtocol(rawValue: bytes.byte(at: Offset.transport))
    }
    @inlinable package var headerChecksum: UInt16 { bytes.bigEndian(at: Offset.checksum) }
    @inlinable package var source: IPv4Address {
        IPv4Address(bits: bytes.bigEndian(at: Offset.source))
    }
    @inlinable package var destination: IPv4Address {
        IPv4Address(bits: bytes.bigEndian(at: Offset.destination))
    }
    package var hasValidChecksum: Bool {
        var sum = InternetChecksum()
        sum.add(bytes.extracting(0..<headerByteCount))
        return sum.value == 0
    }
    @inlinable package var payload: RawSpan {
        @_lifetime(copy self) get { bytes.extracting(headerByteCount..<bytes.byteCount) }
    }

    @inlinable var fragmentField: UInt16 { bytes.bigEndian(at: Offset.fragment) }
}

/// A view of an IPv6 packet (RFC 8200). Once made, its accessors cannot fail.

package struct IPv6View: ~Escapable {
    @usableFromInline let bytes: RawSpan

    @usableFromInline enum Offset {
        @usableFromInline static var versionAndFlow: Int { 0 }
        @usableFromInline static var payloadLength: Int { 4 }
        @usableFromInline static var nextHeader: Int { 6 }
        @usableFromInline static var hopLimit: Int { 7 }
        @usableFromInline static var source: Int { 8 }
        @usableFromInline static var destination: Int { 24 }
    }
    @inlinable package static var headerByteCount: Int { 40 }
    /// Bytes of the fragment extension header.
    @inlinable package static var fragmentHeaderByteCount: Int { 8 }

    /// Bytes behind the packet's payload length are left out.
    @inlinable
    @_lifetime(copy packet)
    package init(_ packet: RawSpan) throws(IPPacketError) {
        guard packet.byteCount >= Self.headerByteCount else {
            throw .truncated(needed: Self.headerByteCount, have: packet.byteCount)
        }
        let version = packet.byte(at: Offset.versionAndFlow) >> 4
        guard version == 6 else { throw .badVersion(version) }
        let total =
            Self.headerByteCount + Int(packet.bigEndian(at: Offset.payloadLength, as: UInt16.self))
        guard total <= packet.byteCount else { throw .badTotalLength(total) }
        bytes = packet.extracting(0..<total)
    }

    @inlinable package var totalByteCount: Int { bytes.byteCount }
    /// DSCP in the upper six bits, ECN in the lower two.
    @inlinable package var trafficClass: UInt8 {
        UInt8(truncatingIfNeeded: bytes.bigEndian(at: 0, as: UInt16.self) >> 4)
    }
    @inlinable package var flowLabel: UInt32 { bytes.bigEndian(at: 0, as: UInt32.self) & 0xF_FFFF }
    /// What follows the fixed header: a transport or an extension header.
    @inlinable package var nextHeader: IPProtocol {
        IPProtocol(rawValue: bytes.byte(at: Offset.nextHeader))
    }
    @inlinable package var hopLimit: UInt8 { bytes.byte(at: Offset.hopLimit) }
    @inlinable package var source: IPv6Address {
        IPv6Address(
            high: bytes.bigEndian(at: Offset.source), low: bytes.bigEndian(at: Offset.source + 8))
    }
    @inlinable package var destination: IPv6Address {
        IPv6Address(
            high: bytes.bigEndian(at: Offset.destination),
            low: bytes.bigEndian(at: Offset.destination + 8))
    }
    /// What follows the fixed header, extension headers included.
    @inlinable package var payload: RawSpan {
        @_lifetime(copy self) get { bytes.extracting(Self.headerByteCount..<bytes.byteCount) }
    }
}
