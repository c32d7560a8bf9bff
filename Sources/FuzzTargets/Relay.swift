import CryptoPrimitives
import DERP
import NetTypes

let relayFuzzTargets: [FuzzTarget] = [
    FuzzTarget(name: "derp-frames") { bytes in
        // The first byte says how the rest is cut; however it is, the frames must be the same.
        guard bytes.byteCount > 1 else { return }
        let stream = bytes.extracting(1..<bytes.byteCount)
        for limits in [FrameLimits.server, .client] {
            let cut = frames(of: stream, chunk: 1 + Int(bytes.byte(at: 0)), limits)
            let whole = frames(of: stream, chunk: stream.byteCount, limits)
            precondition(cut == whole, "the frames depend on how the stream was cut")
        }
    },
    FuzzTarget(name: "derp-messages") { bytes in
        guard bytes.byteCount > 0 else { return }
        let type = FrameType(rawValue: bytes.byte(at: 0))
        let payload = bytes.extracting(1..<bytes.byteCount)
        _ = try? ServerMessage(type, payload)
        _ = try? ClientMessage(type, payload)
        _ = try? ServerKeyFrame.parse(payload)
        _ = looksLikeDisco(payload)
    },
    FuzzTarget(name: "derp-login") { bytes in
        // The JSON is reached by sealing it, the envelope by taking the bytes as they are.
        _ = try? ClientInfo.open(bytes, with: relayKey)
        guard let box = BoxKey(nodeKey, relayKey.publicKey) else { return }
        var random = CountingRandom()
        let sealed = box.seal(bytes, random: &random)
        let login = nodeKey.publicKey.bytes.array + sealed
        _ = try? ClientInfo.open(login.span.bytes, with: relayKey)
        _ = try? ServerInfo.open(sealed.span.bytes, from: relayKey.publicKey, with: nodeKey)
    },
    FuzzTarget(name: "derp-upgrade") { bytes in
        var parser = UpgradeResponseParser()
        var offset = 0
        _ = try? parser.read(bytes, from: &offset)
    },
]

private let relayKey = PrivateKey<RelayKind>(
    text: "privkey:600758630c24ccf5e1bbfb0cdd0404fb535985a375c4dc78955f454403f7d24d")!
private let nodeKey = PrivateKey<NodeKind>(
    text: "privkey:30540f6cd3c78d74a34020c9a3ee93671c84e93fbef06c78dbef2c54423b755f")!

private struct CountingRandom: RandomNumberGenerator {
    var count: UInt64 = 0
    mutating func next() -> UInt64 {
        count += 1
        return count
    }
}

/// Types, lengths and first bytes of the frames; -1 where the stream turned out not to be DERP.
private func frames(of stream: RawSpan, chunk size: Int, _ limits: FrameLimits) -> [Int] {
    var splitter = FrameSplitter(limits: limits)
    var found: [Int] = []
    var start = 0
    while start < stream.byteCount {
        let chunk = stream.extracting(start..<min(stream.byteCount, start + size))
        start += chunk.byteCount
        var offset = 0
        feed: while true {
            do {
                switch try splitter.next(in: chunk, from: &offset) {
                case .needMore: break feed
                case .frame(let type, let range):
                    let first = range.isEmpty ? 0 : Int(chunk.byte(at: range.lowerBound))
                    found += [Int(type.rawValue), range.count, first]
                case .assembled(let type):
                    let payload = splitter.takeAssembled()
                    found += [Int(type.rawValue), payload.count, Int(payload.first ?? 0)]
                }
            } catch {
                return found + [-1]
            }
        }
    }
    return found
}
