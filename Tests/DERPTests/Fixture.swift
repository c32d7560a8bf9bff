import CryptoPrimitives
import DERP
import NetTypes

#if canImport(Glibc)
    import Glibc
#endif

/// A recorded byte stream of Tests/Fixtures/derp.
func fixture(_ name: String) -> [UInt8] {
    let folder = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
    guard let file = fopen("/\(folder)/Fixtures/derp/\(name).bin", "rb") else {
        fatalError("no fixture \(name)")
    }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    let count = fread(&bytes, 1, bytes.count, file)
    return Array(bytes.prefix(count))
}

/// The bytes behind the HTTP head.
func derpPart(_ stream: [UInt8]) -> [UInt8] {
    let end: [UInt8] = [13, 10, 13, 10]
    let start = (0..<stream.count - 4).first { Array(stream[$0..<$0 + 4]) == end }!
    return Array(stream[(start + 4)...])
}

struct Frame: Equatable {
    var type: FrameType
    var payload: [UInt8]
    init(_ type: FrameType, _ payload: [UInt8]) {
        self.type = type
        self.payload = payload
    }
}

/// All frames of a stream that arrives in chunks of the given sizes, repeated.
func split(
    _ stream: [UInt8], chunks: [Int], limits: FrameLimits = .client
) throws(FrameError) -> [Frame] {
    var splitter = FrameSplitter(limits: limits)
    var frames: [Frame] = []
    var start = 0
    var index = 0
    while start < stream.count {
        let chunk = Array(stream[start..<min(stream.count, start + chunks[index % chunks.count])])
        start += chunk.count
        index += 1
        var offset = 0
        feed: while true {
            switch try splitter.next(in: chunk.span.bytes, from: &offset) {
            case .frame(let type, let range): frames.append(Frame(type, Array(chunk[range])))
            case .assembled(let type): frames.append(Frame(type, splitter.takeAssembled()))
            case .needMore: break feed
            }
        }
    }
    return frames
}

let relayKey = PrivateKey<RelayKind>(
    text: "privkey:600758630c24ccf5e1bbfb0cdd0404fb535985a375c4dc78955f454403f7d24d")!
let nodeA = PrivateKey<NodeKind>(
    text: "privkey:30540f6cd3c78d74a34020c9a3ee93671c84e93fbef06c78dbef2c54423b755f")!
let nodeB = PrivateKey<NodeKind>(
    text: "privkey:405631131061c5089a1b50ff6d36e03ced2a429ff32204fe7a38c11b360a3a6b")!

/// The login parsers, over a frame: a span cannot be taken of a temporary.
func openClientInfo(_ frame: Frame) throws(FrameError) -> (NodeKey, ClientInfo) {
    let payload = frame.payload
    return try ClientInfo.open(payload.span.bytes, with: relayKey)
}
func openServerInfo(_ frame: Frame, _ node: PrivateKey<NodeKind>) throws(FrameError) -> ServerInfo {
    let payload = frame.payload
    return try ServerInfo.open(payload.span.bytes, from: relayKey.publicKey, with: node)
}
func parseServerKey(_ payload: [UInt8]) throws(FrameError) -> RelayKey {
    try ServerKeyFrame.parse(payload.span.bytes)
}
