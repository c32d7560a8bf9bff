import NetTypes

/// A view of a UDP datagram (RFC 768).

package struct UDPView: ~Escapable {
    @usableFromInline let bytes: RawSpan
    @inlinable package static var headerByteCount: Int { 8 }

    /// Bytes behind the datagram's length are left out.
    @inlinable
    @_lifetime(copy datagram)
    package init(_ datagram: RawSpan) throws(IPPacketError) {
        guard datagram.byteCount >= Self.headerByteCount else {
            throw .truncated(needed: Self.headerByteCount, have: datagram.byteCount)
        }
        let length = Int(datagram.bigEndian(at: 4, as: UInt16.self))
        guard length >= Self.headerByteCount, length <= datagram.byteCount else {
            throw .badTotalLength(length)
        }
        bytes = datagram.extracting(0..<length)
    }

    @inlinable package var sourcePort: UInt16 { bytes.bigEndian(at: 0) }
    @inlinable package var destinationPort: UInt16 { bytes.bigEndian(at: 2) }
    @inlinable package var byteCount: Int { bytes.byteCount }
    /// 0: none was computed (IPv4 only).
    @inlinable package var checksum: UInt16 { bytes.bigEndian(at: 6) }
    @inlinable package var payload: RawSpan {
        @_lifetime(copy self) get { bytes.extracting(Self.headerByteCount..<bytes.byteCount) }
    }
}

/// The control bits of a TCP segment (RFC 9293 §3.1).

package struct TCPFlags: OptionSet, Hashable, Sendable, BitwiseCopyable {
    package let rawValue: UInt8
    @inlinable package init(rawValue: UInt8) { self.rawValue = rawValue }
    @inlinable package static var fin: Self { Self(rawValue: 0x01) }
    @inlinable package static var syn: Self { Self(rawValue: 0x02) }
    @inlinable package static var rst: Self { Self(rawValue: 0x04) }
    @inlinable package static var psh: Self { Self(rawValue: 0x08) }
    @inlinable package static var ack: Self { Self(rawValue: 0x10) }
    @inlinable package static var urg: Self { Self(rawValue: 0x20) }
    @inlinable package static var ece: Self { Self(rawValue: 0x40) }
    @inlinable package static var cwr: Self { Self(rawValue: 0x80) }

    /// The first segment of a connection: SYN without ACK.
    @inlinable package var opensConnection: Bool { contains(.syn) && !contains(.ack) }
}

/// A view of a TCP segment (RFC 9293).

package struct TCPView: ~Escapable {
    @usableFromInline let bytes: RawSpan
    /// Bytes of a header without options.
    @inlinable package static var headerByteCount: Int { 20 }

    @inlinable
    @_lifetime(copy segment)
    package init(_ segment: RawSpan) throws(IPPacketError) {
        guard segment.byteCount >= Self.headerByteCount else {
            throw .truncated(needed: Self.headerByteCount, have: segment.byteCount)
        }
        let header = Int(segment.byte(at: 12) >> 4) * 4
        guard header >= Self.headerByteCount else { throw .badHeaderLength(header) }
        guard header <= segment.byteCount else {
            throw .truncated(needed: header, have: segment.byteCount)
        }
        bytes = segment
    }

    @inlinable package var sourcePort: UInt16 { bytes.bigEndian(at: 0) }
    @inlinable package var destinationPort: UInt16 { bytes.bigEndian(at: 2) }
    @inlinable package var sequence: UInt32 { bytes.bigEndian(at: 4) }
    @inlinable package var acknowledgement: UInt32 { bytes.bigEndian(at: 8) }
    @inlinable package var headerByteCount: Int { Int(bytes.byte(at: 12) >> 4) * 4 }
    @inlinable package var flags: TCPFlags { TCPFlags(rawValue: bytes.byte(at: 13)) }
    @inlinable package var window: UInt16 { bytes.bigEndian(at: 14) }
    @inlinable package var checksum: UInt16 { bytes.bigEndian(at: 16) }
    @inlinable package var options: RawSpan {
        @_lifetime(copy self) get { bytes.extracting(Self.headerByteCount..<headerByteCount) }
    }
    @inlinable package var payload: RawSpan {
        @_lifetime(copy self) get { bytes.extracting(headerByteCount..<bytes.byteCount) }
    }
}

/// The meaning of an ICMP message to a packet filter; the numbers differ between the versions
/// (RFC 792, RFC 4443).
package enum ICMPKind: Sendable {
    case echoRequest
    case echoReply
    /// About a packet that was sent: unreachable, too big, time exceeded, bad parameter.
    case error
    case other

    package init(v4Type type: UInt8) {
        self =
            switch type {
            case 8: .echoRequest
            case 0: .echoReply
            // Source quench (4) and redirect (5) are left out: both steer what the host sends.
            case 3, 11, 12: .error
            default: .other
            }
    }
    package init(v6Type type: UInt8) {
        self =
            switch type {
            case 128: .echoRequest
            case 129: .echoReply
            case 1...4: .error
            default: .other
            }
    }
}

/// A view of an ICMP or ICMPv6 message.

package struct ICMPView: ~Escapable {
    @usableFromInline let bytes: RawSpan
    @usableFromInline let isV6: Bool
    @inlinable package static var headerByteCount: Int { 8 }

    @inlinable
    @_lifetime(copy message)
    package init(_ message: RawSpan, isV6: Bool) throws(IPPacketError) {
        guard message.byteCount >= Self.headerByteCount else {
            throw .truncated(needed: Self.headerByteCount, have: message.byteCount)
        }
        bytes = message
        self.isV6 = isV6
    }

    @inlinable package var type: UInt8 { bytes.byte(at: 0) }
    @inlinable package var code: UInt8 { bytes.byte(at: 1) }
    @inlinable package var checksum: UInt16 { bytes.bigEndian(at: 2) }
    package var kind: ICMPKind { isV6 ? ICMPKind(v6Type: type) : ICMPKind(v4Type: type) }
    /// Of an echo message.
    @inlinable package var identifier: UInt16 { bytes.bigEndian(at: 4) }
    /// Of an echo message.
    @inlinable package var sequence: UInt16 { bytes.bigEndian(at: 6) }
    /// Echo data, or the beginning of the packet an error is about.
    @inlinable package var payload: RawSpan {
        @_lifetime(copy self) get { bytes.extracting(Self.headerByteCount..<bytes.byteCount) }
    }
}
