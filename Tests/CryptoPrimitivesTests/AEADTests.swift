import CCrypto
import CryptoPrimitives
import Foundation
import NetTypes
import Testing

/// A message of Tests/Fixtures/aead/edge-cases.txt, which its generate.py explains.
private struct EdgeCase: Sendable {
    var name: String
    var key, nonce, data, sealed, tag, text: [UInt8]

    static let all: [EdgeCase] = {
        let file = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fixtures/aead/edge-cases.txt")
        return try! String(contentsOf: file, encoding: .utf8).split(separator: "\n").map { line in
            let fields = line.split(separator: " ").map(String.init)
            let bytes = fields.dropFirst().map { $0 == "-" ? [] : Hexadecimal.decode($0)! }
            return EdgeCase(
                name: fields[0], key: bytes[0], nonce: bytes[1], data: bytes[2], sealed: bytes[3],
                tag: bytes[4], text: bytes[5])
        }
    }()
}

/// `text` sealed, its tag behind it, in memory that starts at `offset` and is watched on both sides.
private func seal(
    _ backend: CipherBackend, _ key: [UInt8], _ nonce: [UInt8], _ data: [UInt8], _ text: [UInt8],
    offset: Int = 0
) -> [UInt8] {
    let margin = 64
    var memory = [UInt8](repeating: 0xA5, count: margin + offset + text.count + 16 + margin)
    let start = margin + offset
    memory.replaceSubrange(start..<start + text.count, with: text)
    let isSealed = memory.withUnsafeMutableBufferPointer {
        ccrypto_aead_seal(
            backend.rawValue, key, $0.baseAddress! + start, text.count, nonce, data, data.count)
    }
    let end = start + text.count + 16
    precondition(isSealed == 1)
    precondition(memory[..<start].allSatisfy { $0 == 0xA5 }, "wrote in front of the text")
    precondition(memory[end...].allSatisfy { $0 == 0xA5 }, "wrote behind the tag")
    return Array(memory[start..<end])
}

/// The text of what is sealed, nil when it is not authentic.
private func open(
    _ backend: CipherBackend, _ key: [UInt8], _ nonce: [UInt8], _ data: [UInt8], _ sealed: [UInt8]
) -> [UInt8]? {
    var memory = sealed
    let isOpened = memory.withUnsafeMutableBufferPointer {
        ccrypto_aead_open(
            backend.rawValue, key, $0.baseAddress!, sealed.count - 16, nonce, data, data.count)
    }
    return isOpened == 1 ? Array(memory.dropLast(16)) : nil
}

private struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
    mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
    }
}

@Suite("ChaCha20-Poly1305")
struct AEADTests {
    static let available = CipherBackend.allCases.filter(\.isAvailable)

    @Test(
        "Each backend computes the RFC's message and those hard on its arithmetic",
        arguments: available)
    func edgeCases(_ backend: CipherBackend) {
        #expect(EdgeCase.all.count > 150)
        for message in EdgeCase.all {
            let expected = message.sealed + message.tag
            let sealed = seal(backend, message.key, message.nonce, message.data, message.text)
            #expect(sealed == expected, "\(message.name)")
            let opened = open(backend, message.key, message.nonce, message.data, expected)
            #expect(opened == message.text, "\(message.name)")
        }
    }

    @Test("No bit of message, tag, data, key or nonce may differ", arguments: available)
    func flippedBits(_ backend: CipherBackend) {
        for message in EdgeCase.all where ["data/33", "constant-ff/65"].contains(message.name) {
            let sealed = message.sealed + message.tag
            func flipped(_ bytes: [UInt8], _ bit: Int) -> [UInt8] {
                var bytes = bytes
                bytes[bit / 8] ^= 1 << UInt8(bit % 8)
                return bytes
            }
            var accepted: [String] = []
            func check(_ part: String, _ count: Int, _ attempt: (Int) -> [UInt8]?) {
                for bit in 0..<count * 8 where attempt(bit) != nil {
                    accepted.append("\(part) \(bit)")
                }
            }
            let (key, nonce, data) = (message.key, message.nonce, message.data)
            check("sealed", sealed.count) { open(backend, key, nonce, data, flipped(sealed, $0)) }
            check("key", 32) { open(backend, flipped(key, $0), nonce, data, sealed) }
            check("nonce", 12) { open(backend, key, flipped(nonce, $0), data, sealed) }
            check("data", data.count) { open(backend, key, nonce, flipped(data, $0), sealed) }
            // Clamping takes no bit of the key away: they all go through the cipher first.
            #expect(accepted == [])
            #expect(open(backend, key, nonce, data + [0], sealed) == nil)
            let zeroTag = message.sealed + [UInt8](repeating: 0, count: 16)
            #expect(open(backend, key, nonce, data, zeroTag) == nil)
        }
    }

    @Test("Backends agree on every length and alignment", .enabled(if: available.count > 1))
    func agreement() {
        var random = SplitMix(state: 0x5EED)
        for count in Array(0...600) + Array(1000...1100) + Array(1380...1500) + [
            4096, 16_384, 65_507,
        ] {
            let (key, nonce) = (random.bytes(32), random.bytes(12))
            let data = random.bytes(count % 3 == 0 ? Int(random.next() % 70) : 0)
            let text = random.bytes(count)
            let sealed = seal(.libcrypto, key, nonce, data, text)
            let offset = Int(random.next() % 64)
            for backend in Self.available {
                #expect(seal(backend, key, nonce, data, text, offset: offset) == sealed)
                #expect(open(backend, key, nonce, data, sealed) == text)
            }
        }
    }

    @Test("Counters stand in the nonce in either order, up to the highest", arguments: available)
    func counters(_ backend: CipherBackend) {
        let secret = [UInt8](repeating: 7, count: 32)
        let key = AEADKey(SecretBytes(copying: secret.span.bytes), backend: backend)
        for counter in [0, 1, 0xFFFF_FFFF, 0x1_0000_0000, UInt64.max - 1, .max] {
            for order in [AEADKey.CounterOrder.littleEndian, .bigEndian] {
                let value = order == .littleEndian ? counter.littleEndian : counter.bigEndian
                let nonce = [0, 0, 0, 0] + withUnsafeBytes(of: value) { Array($0) }
                var buffer = [UInt8](repeating: 3, count: 100 + AEADKey.tagByteCount)
                var span = buffer.mutableSpan
                var raw = span.mutableBytes
                key.seal(inPlace: &raw, counter: counter, order: order)
                let sealed = buffer
                #expect(
                    sealed == seal(backend, secret, nonce, [], [UInt8](repeating: 3, count: 100)))
                span = buffer.mutableSpan
                raw = span.mutableBytes
                let isOpened = key.open(inPlace: &raw, counter: counter, order: order)
                #expect(isOpened)
            }
        }
    }

    @Test("Several threads use one key at once", arguments: available)
    func threads(_ backend: CipherBackend) async {
        var random = SplitMix(state: 11)
        let (key, nonce) = (random.bytes(32), random.bytes(12))
        let texts = (0..<64).map { random.bytes($0 * 23) }
        let expected = texts.map { seal(.libcrypto, key, nonce, [], $0) }
        let wrong = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    (0..<50).reduce(0) { wrong, _ in
                        wrong
                            + zip(texts, expected).count { text, expected in
                                seal(backend, key, nonce, [], text) != expected
                                    || open(backend, key, nonce, [], expected) != text
                            }
                    }
                }
            }
            return await group.reduce(0, +)
        }
        #expect(wrong == 0)
    }

    @Test("The faster backend is chosen, and the choice stays")
    func choice() throws {
        let fastest = CipherBackend.fastest
        let best = try #require(fastest.nanosecondsPerPacket)
        for backend in Self.available {
            #expect(try #require(backend.nanosecondsPerPacket) >= best)
        }
        #expect(CipherBackend.fastest == fastest)
        #expect(CipherBackend.libcrypto.isAvailable)
    }
}
