import Compression
import ControlMessages
import NetTypes

/// How map responses are put on the wire (control protocol §5.3).
struct MapFraming: Sendable {
    var compresses: Bool

    init(_ request: MapRequest) { compresses = request.compression == "zstd" }

    func frame(_ response: MapResponse) -> [UInt8] { frame(response.jsonBytes) }

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
