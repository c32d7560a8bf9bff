internal import NetTypes

/// Cuts a byte stream that arrives in chunks into DERP frames, without copying those that lie
/// inside one chunk.
///
/// For each chunk call `next` until it says `needMore`; the whole chunk is consumed then. Memory
/// grows with bytes that arrived, never with a length that was only claimed. After an error the
/// stream is lost and the splitter must not be used again.
package struct FrameSplitter: Sendable {
    package enum Step: Equatable, Sendable {
        /// A frame whose payload lies in the chunk at this range.
        case frame(FrameType, Range<Int>)
        /// A frame that began in an earlier chunk: its payload is what `takeAssembled` returns.
        case assembled(FrameType)
        /// The chunk is used up.
        case needMore
    }

    private let limits: FrameLimits
    /// The first bytes of a header that was cut by the end of a chunk.
    private var header: UInt64 = 0
    private var headerByteCount = 0
    /// The payload so far of a frame that was cut, and how long it will be.
    private var payload: [UInt8] = []
    private var awaited: (type: FrameType, byteCount: Int)?
    /// Bytes still to come of a frame of unknown type.
    private var skipped = 0

    package init(limits: FrameLimits) { self.limits = limits }

    /// Bytes held of a frame that is not complete.
    package var bufferedByteCount: Int { payload.count + headerByteCount }

    /// The next frame of `chunk` from `offset` on, which moves past it.
    package mutating func next(
        in chunk: RawSpan, from offset: inout Int
    ) throws(FrameError) -> Step {
        while true {
            if skipped > 0 {
                let count = min(skipped, chunk.byteCount - offset)
                skipped -= count
                offset += count
                if skipped > 0 { return .needMore }
            }
            if let awaited {
                let count = min(awaited.byteCount - payload.count, chunk.byteCount - offset)
                append(chunk, offset..<offset + count)
                offset += count
                if payload.count < awaited.byteCount { return .needMore }
                self.awaited = nil
                return .assembled(awaited.type)
            }
            guard let (type, byteCount) = try readHeader(chunk, &offset) else { return .needMore }
            if !type.isKnown {
                skipped = byteCount
            } else if chunk.byteCount - offset >= byteCount {
                defer { offset += byteCount }
                return .frame(type, offset..<offset + byteCount)
            } else {
                awaited = (type, byteCount)
            }
        }
    }

    /// The payload of the frame `next` just announced as assembled.
    package mutating func takeAssembled() -> [UInt8] {
        defer { payload = [] }
        return payload
    }

    private mutating func readHeader(
        _ chunk: RawSpan, _ offset: inout Int
    ) throws(FrameError) -> (FrameType, Int)? {
        if headerByteCount == 0, chunk.byteCount - offset >= DERPSizes.header {
            let type = FrameType(rawValue: chunk.byte(at: offset))
            let byteCount = Int(chunk.bigEndian(at: offset + 1, as: UInt32.self))
            offset += DERPSizes.header
            return try checked(type, byteCount)
        }
        while headerByteCount < DERPSizes.header {
            guard offset < chunk.byteCount else { return nil }
            header = header << 8 | UInt64(chunk.byte(at: offset))
            headerByteCount += 1
            offset += 1
        }
        let type = FrameType(rawValue: UInt8(truncatingIfNeeded: header >> 32))
        let byteCount = Int(header & 0xFFFF_FFFF)
        header = 0
        headerByteCount = 0
        return try checked(type, byteCount)
    }

    private func checked(
        _ type: FrameType, _ byteCount: Int
    ) throws(FrameError) -> (FrameType, Int) {
        let limit = limits.maximum(of: type)
        guard byteCount <= limit else {
            throw .tooLong(type, byteCount: byteCount, limit: limit)
        }
        return (type, byteCount)
    }

    private mutating func append(_ chunk: RawSpan, _ range: Range<Int>) {
        let part = chunk.extracting(range)
        unsafe part.withUnsafeBytes { unsafe payload.append(contentsOf: $0) }
    }
}
