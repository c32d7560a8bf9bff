/// Input ended before the field that was read.
public struct TruncatedInput: Error, Equatable {
    public var needed: Int
    public var have: Int
    public init(needed: Int, have: Int) {
        self.needed = needed
        self.have = have
    }
}

extension RawSpan {
    /// An integer in network byte order at `offset`. Traps past the end: check lengths first.
    @inlinable
    public func bigEndian<Value: FixedWidthInteger & BitwiseCopyable>(
        at offset: Int, as type: Value.Type = Value.self
    ) -> Value {
        precondition(offset >= 0 && offset + MemoryLayout<Value>.size <= byteCount, "read past end")
        return unsafe Value(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: Value.self))
    }
    /// A little-endian integer at `offset`. Traps past the end: check lengths first.
    @inlinable
    public func littleEndian<Value: FixedWidthInteger & BitwiseCopyable>(
        at offset: Int, as type: Value.Type = Value.self
    ) -> Value {
        precondition(offset >= 0 && offset + MemoryLayout<Value>.size <= byteCount, "read past end")
        return unsafe Value(
            littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: Value.self))
    }
    /// The byte at `offset`. Traps past the end.
    @inlinable
    public func byte(at offset: Int) -> UInt8 { bigEndian(at: offset) }

    /// A copy of the bytes.
    @inlinable
    public var array: [UInt8] { unsafe withUnsafeBytes { unsafe Array($0) } }

    @inlinable
    public func elementsEqual(_ other: RawSpan) -> Bool {
        guard byteCount == other.byteCount else { return false }
        for index in 0..<byteCount where byte(at: index) != other.byte(at: index) { return false }
        return true
    }
}

extension MutableRawSpan {
    /// Writes an integer in network byte order. Traps past the end.
    @inlinable
    public mutating func storeBigEndian<Value: FixedWidthInteger & BitwiseCopyable>(
        _ value: Value, at offset: Int
    ) {
        precondition(
            offset >= 0 && offset + MemoryLayout<Value>.size <= byteCount, "write past end")
        storeBytes(of: value.bigEndian, toByteOffset: offset, as: Value.self)
    }
    /// Writes a little-endian integer. Traps past the end.
    @inlinable
    public mutating func storeLittleEndian<Value: FixedWidthInteger & BitwiseCopyable>(
        _ value: Value, at offset: Int
    ) {
        precondition(
            offset >= 0 && offset + MemoryLayout<Value>.size <= byteCount, "write past end")
        storeBytes(of: value.littleEndian, toByteOffset: offset, as: Value.self)
    }
    /// Copies `source` to `offset`. Traps past the end.
    @inlinable
    public mutating func copy(_ source: RawSpan, at offset: Int) {
        precondition(offset >= 0 && offset + source.byteCount <= byteCount, "write past end")
        unsafe source.withUnsafeBytes { from in
            unsafe withUnsafeMutableBytes { to in
                unsafe UnsafeMutableRawBufferPointer(rebasing: to[offset..<offset + from.count])
                    .copyMemory(from: from)
            }
        }
    }
}

/// Reads fields of a message one after the other; an absent one is a typed error, never a trap.
@frozen
public struct ByteReader: ~Escapable {
    @usableFromInline let bytes: RawSpan
    public private(set) var offset: Int

    @_lifetime(copy bytes)
    public init(_ bytes: RawSpan) {
        self.bytes = bytes
        self.offset = 0
    }

    public var remaining: Int { bytes.byteCount - offset }

    public mutating func readBigEndian<Value: FixedWidthInteger & BitwiseCopyable>(
        as type: Value.Type = Value.self
    ) throws(TruncatedInput) -> Value {
        let start = try advance(MemoryLayout<Value>.size)
        return bytes.bigEndian(at: start)
    }
    public mutating func readLittleEndian<Value: FixedWidthInteger & BitwiseCopyable>(
        as type: Value.Type = Value.self
    ) throws(TruncatedInput) -> Value {
        let start = try advance(MemoryLayout<Value>.size)
        return bytes.littleEndian(at: start)
    }
    @_lifetime(copy self)
    public mutating func readSpan(count: Int) throws(TruncatedInput) -> RawSpan {
        let start = try advance(count)
        return bytes.extracting(start..<start + count)
    }
    public mutating func readArray(count: Int) throws(TruncatedInput) -> [UInt8] {
        try readSpan(count: count).array
    }
    public mutating func readKey<Kind: KeyKind>(
        as type: PublicKey<Kind>.Type = PublicKey<Kind>.self
    ) throws(TruncatedInput) -> PublicKey<Kind> {
        PublicKey(Bytes32(try readSpan(count: 32)))
    }
    public mutating func readIPv6Address() throws(TruncatedInput) -> IPv6Address {
        let start = try advance(16)
        return IPv6Address(high: bytes.bigEndian(at: start), low: bytes.bigEndian(at: start + 8))
    }
    /// A 16-byte address, IPv4 v4-mapped, and a port.
    public mutating func readEndpoint() throws(TruncatedInput) -> Endpoint {
        let address = try readIPv6Address()
        return Endpoint(IPAddress(unmapping: address), port: try readBigEndian())
    }
    public mutating func skip(_ count: Int) throws(TruncatedInput) { _ = try advance(count) }

    private mutating func advance(_ count: Int) throws(TruncatedInput) -> Int {
        guard count >= 0, count <= remaining else {
            throw TruncatedInput(needed: count, have: remaining)
        }
        defer { offset += count }
        return offset
    }
}

extension [UInt8] {
    /// Appends an integer in network byte order.
    public mutating func appendBigEndian(_ value: some FixedWidthInteger) {
        var shift = value.bitWidth
        while shift > 0 {
            shift -= 8
            append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }
    /// Appends a little-endian integer.
    public mutating func appendLittleEndian(_ value: some FixedWidthInteger) {
        for shift in stride(from: 0, to: value.bitWidth, by: 8) {
            append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }
    public mutating func append(_ value: Bytes32) { append(contentsOf: value.array) }
    public mutating func append(_ address: IPv6Address) {
        appendBigEndian(address.high)
        appendBigEndian(address.low)
    }
    /// Appends a 16-byte address, IPv4 v4-mapped, and a port.
    public mutating func append(_ endpoint: Endpoint) {
        append(endpoint.address.mapped)
        appendBigEndian(endpoint.port)
    }
}
