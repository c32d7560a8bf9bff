import Compression
import ControlMessages
import NetTypes
import Synchronization

/// How map responses are put on the wire (control protocol §5.3).
struct MapFraming: Sendable {
    var compresses: Bool

    init(_ request: MapRequest) { compresses = request.compression == "zstd" }

    func frame(_ response: MapResponse) -> [UInt8] { frame(response.jsonBytes) }

    func frame(_ message: SharedMessage) -> [UInt8] {
        message.encoded(isCompressed: compresses) { frame(message.response) }
    }

    /// Always the same bytes, by which clients recognize it without decoding.
    var keepAlive: [UInt8] { compresses ? Self.compressedKeepAlive : Self.plainKeepAlive }

    private static let keepAliveText = Array("{\"KeepAlive\":true}".utf8)
    private static let compressedKeepAlive = framed(Zstd.compress(keepAliveText))
    private static let plainKeepAlive = framed(keepAliveText)

    private func frame(_ json: [UInt8]) -> [UInt8] {
        Self.framed(compresses ? Zstd.compress(json) : json)
    }

    private static func framed(_ message: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(message.count + 4)
        bytes.appendLittleEndian(UInt32(message.count))
        bytes += message
        return bytes
    }
}

/// A message for several nodes, encoded once for each of the two forms.
final class SharedMessage: Sendable {
    let response: MapResponse
    private let frames = Mutex<[Bool: [UInt8]]>([:])

    init(_ response: MapResponse) { self.response = response }

    /// The frame, made by `encode` when there is none yet; who comes meanwhile waits for it.
    func encoded(isCompressed: Bool, _ encode: () -> [UInt8]) -> [UInt8] {
        frames.withLock { frames in
            if let frame = frames[isCompressed] { return frame }
            let frame = encode()
            frames[isCompressed] = frame
            return frame
        }
    }
}
