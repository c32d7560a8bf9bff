internal import NetTypes

/// A packet of a session, its header only: the text is sealed and opened where it lies.
///
/// | bytes | 0–3 | 4–7 | 8–15 | 16… |
/// |---|---|---|---|---|
/// | | type | receiver index | counter, little-endian | sealed inner packet, 16 bytes of tag |
package enum TransportMessage {
    @inlinable package static var headerByteCount: Int { 16 }
    @inlinable package static var tagByteCount: Int { 16 }
    /// Bytes around the padded inner packet; also the length of a keepalive.
    @inlinable package static var overhead: Int { headerByteCount + tagByteCount }

    @inlinable package static func receiverIndex(of message: RawSpan) -> UInt32 {
        message.littleEndian(at: 4)
    }
    @inlinable package static func counter(of message: RawSpan) -> UInt64 {
        message.littleEndian(at: 8)
    }

    @inlinable package static func writeHeader(
        _ message: inout MutableRawSpan, at offset: Int, receiverIndex: UInt32, counter: UInt64
    ) {
        message.storeLittleEndian(MessageKind.transport.rawValue, at: offset)
        message.storeLittleEndian(receiverIndex, at: offset + 4)
        message.storeLittleEndian(counter, at: offset + 8)
    }

    /// Bytes to append to an inner packet of `count` bytes: up to the next multiple of 16, but not
    /// past the MTU of the tunnel.
    @inlinable package static func padding(count: Int, mtu: Int) -> Int {
        let multiple = WireGuardConstants.paddingMultiple
        let lastUnit = mtu > 0 && count > mtu ? count % mtu : count
        let padded = (lastUnit + multiple - 1) / multiple * multiple
        return max(0, (mtu > 0 ? min(mtu, padded) : padded) - lastUnit)
    }
}
