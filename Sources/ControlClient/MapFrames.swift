internal import Compression
internal import NIOCore

/// Cuts the body of a map poll into its messages: a little-endian 32-bit length, then that many
/// bytes, a whole Zstandard frame or plain JSON (control protocol, "Framing").
struct MapFrames {
    enum DecodingError: Error, Equatable {
        case frameTooLarge(Int)
        case decompression(Zstd.DecompressionError)
    }

    /// What one message may have at most on the wire, and decompressed.
    let limit: Int
    private var pending = ByteBuffer()

    init(limit: Int) { self.limit = limit }

    /// Whether bytes of a message that is not complete are left.
    var isEmpty: Bool { pending.readableBytes == 0 }

    mutating func append(_ bytes: ByteBuffer) {
        if pending.readableBytes == 0 {
            pending = bytes
        } else {
            var bytes = bytes
            pending.discardReadBytes()
            pending.writeBuffer(&bytes)
        }
    }

    /// The next message as JSON, or nil until more bytes have come.
    mutating func next() throws(DecodingError) -> [UInt8]? {
        guard
            let length: UInt32 = pending.getInteger(at: pending.readerIndex, endianness: .little)
        else { return nil }
        let count = Int(length)
        guard count <= limit else { throw .frameTooLarge(count) }
        guard let bytes = pending.getBytes(at: pending.readerIndex + 4, length: count) else {
            return nil
        }
        pending.moveReaderIndex(forwardBy: 4 + count)
        guard bytes.starts(with: Self.zstdMagic) else { return bytes }
        do {
            return try Zstd.decompress(bytes, limit: limit)
        } catch {
            throw .decompression(error)
        }
    }

    /// RFC 8878 §3.1.1. JSON never begins like that, so a server that ignores the wish for
    /// compression is understood as well.
    private static let zstdMagic: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD]
}
