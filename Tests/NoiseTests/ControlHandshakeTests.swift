import CryptoPrimitives
import NetTypes
import Noise
import Testing

func bytes(_ hex: String) -> [UInt8] { Hexadecimal.decode(hex.filter { !$0.isWhitespace })! }

func key<Kind: KeyKind>(
    repeating byte: UInt8, as kind: PrivateKey<Kind>.Type = PrivateKey<Kind>.self
) -> PrivateKey<Kind> {
    PrivateKey(SecretBytes(copying: [UInt8](repeating: byte, count: 32).span.bytes))
}

func storedKey(_ digits: String) -> PrivateKey<MachineKind> {
    PrivateKey(text: "privkey:" + digits)!
}

/// Control protocol §3.8.
enum Vector {
    static let initiation = bytes(
        """
        0091 01 0060 7b0d47d93427f8311160781c7c733fd89f88970aef490d8aa0ee19a4cb8a1b14
        61d2949213e755bc180b5d5dbbd8c50a2a1beb69f8940d24cab4606a34cd5d41eebe5d833461d4b6b4658416ef6fdc3a
        92f6a14fa59d716285af13dddfd36d8f
        """)
    static let response = bytes(
        """
        02 0030 ff2ee45601ec1b67310c7790404585ae697331eee1c1f8cf2419731c1fff3e6b
        ab841131869e7156986c93b16af8a123
        """)
    static let handshakeHash = Bytes32(
        bytes("a77464c2c58bd4e4170e80e37fff1de91d8a94d752b7a5763426e8684f74176a"))
    static let hello = bytes("04 0015 8dbec8f77738728dd69aca7e58427c2321d84a26dd")
    static let world = bytes("04 0015 853ef0a1ac5262a8d877069b1424e751ed97c812fc")
    static let reply = bytes("04 0015 16d9fa44a3a6696d452beddf414dd19d3f41c94c2e")

    static func initiator() throws -> ControlInitiator {
        try ControlInitiator(
            version: 145, machineKey: key(repeating: 0x11),
            serverKey: key(repeating: 0x22, as: PrivateKey<MachineKind>.self).publicKey,
            ephemeral: key(repeating: 0x33))
    }
    static func responder() throws -> ControlResponder {
        try ControlResponder(
            initiation: initiation.span.bytes, serverKey: key(repeating: 0x22),
            ephemeral: key(repeating: 0x44))
    }
}

func frames(_ stream: [UInt8]) throws -> [ControlFrame] {
    var splitter = ControlFrameSplitter()
    var offset = 0
    var frames: [ControlFrame] = []
    while let frame = try splitter.next(stream.span.bytes, from: &offset) { frames.append(frame) }
    return frames
}

@Suite("control channel handshake")
struct ControlHandshakeTests {
    @Test func theInitiatorMatchesTheVectorByteForByte() throws {
        let initiator = try Vector.initiator()
        let initiation = initiator.initiation
        #expect(initiation == Vector.initiation)
        var session = try initiator.finish(try frames(Vector.response)[0])
        let hash = session.handshakeHash
        #expect(hash == Vector.handshakeHash)
        var output: [UInt8] = []
        try session.seal(Array("hello".utf8).span.bytes, appendingTo: &output)
        try session.seal(Array("world".utf8).span.bytes, appendingTo: &output)
        #expect(output == Vector.hello + Vector.world)
        let reply = try session.open(try frames(Vector.reply)[0])
        #expect(reply == Array("reply".utf8))
    }

    @Test func theResponderMatchesTheVectorByteForByte() throws {
        let responder = try Vector.responder()
        let (response, version, machineKey) = (
            responder.response, responder.version, responder.machineKey
        )
        #expect(response == Vector.response)
        #expect(version == 145)
        #expect(
            machineKey.description
                == "mkey:7b4e909bbe7ffe44c465a220037d608ee35897d31ef972f07f74892cb0f73f13")
        var session = responder.session()
        let hash = session.handshakeHash
        #expect(hash == Vector.handshakeHash)
        let records = try frames(Vector.hello + Vector.world)
        let hello = try session.open(records[0])
        let world = try session.open(records[1])
        #expect(hello == Array("hello".utf8) && world == Array("world".utf8))
        var output: [UInt8] = []
        try session.seal(Array("reply".utf8).span.bytes, appendingTo: &output)
        #expect(output == Vector.reply)
    }

    // The two upgrades of the recorded session; the first response is known from the same capture.
    @Test(arguments: [
        (
            "00850100604672e226f66f94595060c1b0ea43ad5dfaf55f3110baca0b5d8c7aa877d8814140fe69981bf30ba3f5a6ef70aa8dfc9131a5f248a6ceed945e1c3a9548604f437c0aaa914d0f454a03858dc5435993fdf34dbc81c3b0826c6d67b4915a9c842e",
            "98a191d01aba3686ddf41828c4ff012659490282abc08106a834e1805b5b7448"
        ),
        (
            "00850100604df48443ce6386cffb428122b3a9368cf2fb95a3501110ac1390e7ede5fdd41c60eda2a67a0047b4f3510af858166aeb276022447717f86d8a9d1f92c4980b99af8caffd34152d1518419d37d92bbd23407827c80234fe8346cfb334debe0933",
            "38ebc025004e318b790c722c67e39cfc57d18aec0cdd80296e5a78e468f0cd4b"
        ),
    ])
    func recordedInitiationsOpenAndNameTheMachine(_ hex: String, machine: String) throws {
        let server = storedKey("90f64b4fb8a379d56c19b51505e5a15478fdbe0254c3a8226c2b8db247abd04a")
        var random = SeededRandom(seed: 1)
        let responder = try ControlResponder(
            initiation: bytes(hex).span.bytes, serverKey: server, random: &random)
        let (version, machineKey) = (responder.version, responder.machineKey)
        #expect(version == 133)
        #expect(machineKey == storedKey(machine).publicKey)
    }

    @Test func everyChangedBitOfTheInitiationIsRefused() {
        for position in Vector.initiation.indices {
            var changed = Vector.initiation
            changed[position] ^= 0x10
            #expect(throws: ControlHandshakeError.self, "byte \(position)") {
                _ = try ControlResponder(
                    initiation: changed.span.bytes, serverKey: key(repeating: 0x22),
                    ephemeral: key(repeating: 0x44)
                ).session()
            }
        }
    }

    @Test func malformedInitiationsAskForAnErrorFrameAndForgedOnesDoNot() {
        func error(_ message: [UInt8]) -> ControlHandshakeError? {
            do throws(ControlHandshakeError) {
                _ = try ControlResponder(
                    initiation: message.span.bytes, serverKey: key(repeating: 0x22),
                    ephemeral: key(repeating: 0x44))
                return nil
            } catch { return error }
        }
        let short = error(Array(Vector.initiation.dropLast()))
        #expect(short == .wrongLength(needed: 101, have: 100))
        #expect(short?.replyText != nil)
        var message = Vector.initiation
        message[2] = 9
        #expect(error(message) == .wrongType(9))
        message = Vector.initiation
        message[4] = 0x61
        #expect(error(message) == .wrongLengthField(0x61))
        message = Vector.initiation
        message.replaceSubrange(5..<37, with: repeatElement(0, count: 32))
        #expect(error(message) == .invalidKey)
        message = Vector.initiation
        message[100] ^= 1
        #expect(error(message) == .notAuthentic)
        #expect(error(message)?.replyText == nil)
    }

    @Test func everyChangedBitOfTheResponseIsRefused() throws {
        for position in 3..<51 {
            var changed = Vector.response
            changed[position] ^= 0x01
            let frame = try frames(changed)[0]
            #expect(throws: ControlHandshakeError.notAuthentic) {
                _ = try Vector.initiator().finish(frame)
            }
        }
    }

    @Test func anErrorFrameIsShownEscapedAndCut() throws {
        let text = "no\u{1B}[31m entry\n" + String(repeating: "x", count: 5000)
        let frame = try frames(ControlFrame.error(text).encoded)[0]
        let initiator = try Vector.initiator()
        do throws(ControlHandshakeError) {
            _ = try initiator.finish(frame)
            Issue.record("an error frame cannot finish a handshake")
        } catch {
            guard case .refused(let shown) = error else {
                Issue.record("unexpected \(error)")
                return
            }
            #expect(shown.hasPrefix("no\\u{1B}[31m entry\\n"))
            #expect(shown.utf8.count < 1200)
            #expect(shown.utf8.allSatisfy { (0x20...0x7E).contains($0) })
        }
    }

    @Test func aServerKeyOfSmallOrderIsRefused() {
        #expect(throws: ControlHandshakeError.invalidKey) {
            _ = try ControlInitiator(
                version: 1, machineKey: key(repeating: 0x11), serverKey: .zero,
                ephemeral: key(repeating: 0x33)
            ).initiation
        }
    }
}

/// SplitMix64: the same numbers for the same seed, on every machine.
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
