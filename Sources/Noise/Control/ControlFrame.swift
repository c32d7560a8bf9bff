internal import NetTypes

/// What follows the initiation on a control connection, in both directions.
///
/// | byte | 0 | 1–2 | 3… |
/// |---|---|---|---|
/// | | type | length of the rest, big-endian | body |
package struct ControlFrame: Equatable, Sendable {
    package enum Kind: UInt8, Sendable {
        case response = 2
        /// UTF-8 text without authentication, possible only in place of a response.
        case error = 3
        case record = 4
    }

    package var kind: Kind
    package var body: [UInt8]

    package init(kind: Kind, body: [UInt8]) {
        precondition(
            body.count <= ControlProtocol.maximumFrameByteCount - ControlProtocol.headerByteCount,
            "the body does not fit a frame")
        self.kind = kind
        self.body = body
    }

    /// Header and body. An error's text is cut to fit.
    package var encoded: [UInt8] {
        var bytes = [kind.rawValue]
        bytes.appendBigEndian(UInt16(body.count))
        bytes.append(contentsOf: body)
        return bytes
    }

    /// The frame a server sends in place of a response.
    package static func error(_ text: String) -> ControlFrame {
        ControlFrame(kind: .error, body: Array(text.utf8.prefix(1024)))
    }

    /// The text of an error frame, cut to 256 characters and escaped to printable ASCII, because
    /// anyone on the path can have written it.
    package var errorText: String {
        let text = String(decoding: body.prefix(1024), as: UTF8.self)
        return text.unicodeScalars.prefix(256).map { $0.escaped(asASCII: true) }.joined()
    }
}

/// Cuts the incoming bytes of a control connection into frames. Holds at most one frame's bytes.
package struct ControlFrameSplitter: Sendable {
    /// The stream cannot be continued after any of these.
    package enum StreamError: Error, Equatable {
        case unknownType(UInt8)
        /// The length field is larger than a frame may be.
        case oversized(length: Int)
    }

    private var pending: [UInt8] = []

    package init() {}

    /// Bytes of an unfinished frame held back: at most 4095.
    package var pendingByteCount: Int { pending.count }

    /// The next complete frame, taking bytes from `offset` on and moving it past them; nil, with
    /// all bytes taken, when more are needed.
    ///
    /// Call until nil for each chunk read.
    package mutating func next(
        _ bytes: RawSpan, from offset: inout Int
    ) throws(StreamError) -> ControlFrame? {
        take(ControlProtocol.headerByteCount, bytes, from: &offset)
        guard pending.count >= ControlProtocol.headerByteCount else { return nil }
        guard let kind = ControlFrame.Kind(rawValue: pending[0]) else {
            throw .unknownType(pending[0])
        }
        let length = Int(pending[1]) << 8 | Int(pending[2])
        let total = ControlProtocol.headerByteCount + length
        guard total <= ControlProtocol.maximumFrameByteCount else {
            throw .oversized(length: length)
        }
        take(total, bytes, from: &offset)
        guard pending.count == total else { return nil }
        let frame = ControlFrame(
            kind: kind, body: Array(pending[ControlProtocol.headerByteCount...]))
        pending.removeAll(keepingCapacity: true)
        return frame
    }

    /// Takes bytes until `count` are pending or none are left.
    private mutating func take(_ count: Int, _ bytes: RawSpan, from offset: inout Int) {
        let end = min(bytes.byteCount, offset + max(0, count - pending.count))
        guard end > offset else { return }
        unsafe bytes.extracting(offset..<end).withUnsafeBytes {
            unsafe pending.append(contentsOf: $0)
        }
        offset = end
    }
}
