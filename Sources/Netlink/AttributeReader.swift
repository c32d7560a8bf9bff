package import NetTypes

/// Takes the attributes out of a payload one after the other:
///
///     length u16 | type u16 | value, padded to 4 bytes
package struct AttributeReader: ~Escapable {
    package struct Attribute: ~Escapable {
        /// Without the flags for nesting and byte order.
        package let type: UInt16
        package let value: RawSpan

        @_lifetime(copy value)
        fileprivate init(type: UInt16, value: RawSpan) {
            self.type = type
            self.value = value
        }

        /// A four-byte number, nil when the value has another length.
        package var number: UInt32? { value.byteCount == 4 ? value.littleEndian(at: 0) : nil }

        /// Text up to the first zero byte, nil when it is not UTF-8.
        package var text: String? {
            var bytes = value.array
            if let end = bytes.firstIndex(of: 0) { bytes.removeSubrange(end...) }
            return String(validating: bytes, as: UTF8.self)
        }

        /// An address of four or sixteen bytes.
        package var address: IPAddress? {
            switch value.byteCount {
            case 4: .v4(IPv4Address(bits: value.bigEndian(at: 0)))
            case 16:
                .v6(IPv6Address(high: value.bigEndian(at: 0), low: value.bigEndian(at: 8)))
            default: nil
            }
        }
    }

    private let bytes: RawSpan
    private var offset: Int

    /// Reads the attributes of `payload` behind a fixed header of `headerByteCount` bytes.
    @_lifetime(copy payload)
    package init(_ payload: RawSpan, after headerByteCount: Int) {
        bytes = payload
        offset = min((headerByteCount + 3) & ~3, payload.byteCount)
    }

    /// Nil at the end. After an error there is no way to find the next attribute.
    @_lifetime(copy self)
    package mutating func next() throws(NetlinkError) -> Attribute? {
        let left = bytes.byteCount - offset
        if left == 0 { return nil }
        guard left >= 4 else { throw .truncated(needed: 4, have: left) }
        let length = Int(bytes.littleEndian(at: offset, as: UInt16.self))
        guard length >= 4, length <= left else { throw .badLength(length) }
        let attribute = Attribute(
            type: bytes.littleEndian(at: offset + 2, as: UInt16.self) & 0x3FFF,
            value: bytes.extracting(offset + 4..<offset + length))
        offset = min(bytes.byteCount, offset + (length + 3) & ~3)
        return attribute
    }
}
