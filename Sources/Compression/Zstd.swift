internal import CZstd

/// Zstandard frames (RFC 8878): map responses travel in them.
package enum Zstd {
    package enum DecompressionError: Error, Equatable {
        /// Not one whole, valid frame.
        case malformed
        /// The content is longer than the caller accepts.
        case tooLarge(limit: Int)
    }

    /// One complete frame, at a level that favours speed.
    package static func compress(_ bytes: [UInt8]) -> [UInt8] {
        let bound = ZSTD_compressBound(bytes.count)
        return unsafe [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
            let written = unsafe bytes.withUnsafeBytes {
                unsafe ZSTD_compress(buffer.baseAddress, bound, $0.baseAddress, $0.count, 1)
            }
            precondition(ZSTD_isError(written) == 0, "the buffer is large enough by its bound")
            count = written
        }
    }

    /// The content of exactly one frame. A frame may lie about its content size or not state it, so
    /// memory grows with what really comes out, up to `limit` bytes.
    package static func decompress(
        _ frame: [UInt8], limit: Int
    ) throws(DecompressionError) -> [UInt8] {
        guard let stream = unsafe ZSTD_createDStream() else { throw .malformed }
        defer { unsafe ZSTD_freeDStream(stream) }
        var result: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: min(limit + 1, ZSTD_DStreamOutSize()))
        var consumed = 0
        while true {
            var produced = 0
            let status = unsafe frame.withUnsafeBytes { source in
                unsafe chunk.withUnsafeMutableBytes { target in
                    var input = unsafe ZSTD_inBuffer(
                        src: source.baseAddress, size: source.count, pos: consumed)
                    var output = unsafe ZSTD_outBuffer(
                        dst: target.baseAddress, size: target.count, pos: 0)
                    let status = unsafe ZSTD_decompressStream(stream, &output, &input)
                    consumed = unsafe input.pos
                    produced = unsafe output.pos
                    return status
                }
            }
            guard ZSTD_isError(status) == 0 else { throw .malformed }
            guard result.count + produced <= limit else { throw .tooLarge(limit: limit) }
            result += chunk[..<produced]
            if status == 0 {
                guard consumed == frame.count else { throw .malformed }
                return result
            }
            // More is wanted, but all input is used up and nothing came out: cut short.
            if consumed == frame.count, produced < chunk.count { throw .malformed }
        }
    }
}
