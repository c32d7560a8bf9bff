import CryptoPrimitives
import Disco
import NetTypes
import Testing

func bytes(_ hex: String) -> [UInt8] { Hexadecimal.decode(hex) ?? [] }

func key<Kind: KeyKind>(_ fill: UInt8, _: PublicKey<Kind>.Type = PublicKey<Kind>.self) -> PublicKey<
    Kind
> {
    PublicKey(Bytes32(Array(repeating: fill, count: 32)))
}

let sampleID = PingID(high: 0x0102_0304, low: 0x0506_0708_090A_0B0C)
let sampleEndpoints = ["192.0.2.1:41641", "[2001:db8::1]:7"].compactMap { Endpoint($0) }
let sampleRelay = DiscoMessage.RelayEndpoint(
    server: key(1), clients: [key(2), key(3)], lamportID: 4, virtualNetwork: 5,
    bindLifetime: .seconds(30), steadyStateLifetime: .minutes(5), endpoints: sampleEndpoints)
let sampleBinding = DiscoMessage.RelayBinding(
    virtualNetwork: 7, generation: 8, remote: key(9), challenge: Bytes32())

let samples: [DiscoMessage] = [
    .ping(sampleID, nodeKey: nil), .ping(sampleID, nodeKey: key(0xAA)),
    .pong(sampleID, source: sampleEndpoints[0]), .pong(sampleID, source: sampleEndpoints[1]),
    .callMeMaybe([]), .callMeMaybe(sampleEndpoints),
    .bindRelay(sampleBinding), .bindRelayChallenge(sampleBinding), .bindRelayAnswer(sampleBinding),
    .callMeMaybeVia(sampleRelay),
    .allocateRelayRequest(clients: [key(2), key(3)], generation: 11),
    .allocateRelayResponse(generation: 11, sampleRelay),
]

@Suite("disco messages")
struct DiscoMessageTests {
    @Test("each message comes back as it was, also with bytes of a later version behind it")
    func roundTrip() throws {
        for sample in samples {
            #expect(try DiscoMessage(sample.encoded().span.bytes) == sample)
            let longer = sample.encoded(padding: 17)
            #expect(try DiscoMessage(longer.span.bytes) == sample)
        }
    }

    @Test("ping, pong and CallMeMaybe have the documented bytes")
    func layout() {
        #expect(
            DiscoMessage.ping(sampleID, nodeKey: key(0xAA)).encoded()
                == bytes("01000102030405060708090a0b0c" + String(repeating: "aa", count: 32)))
        #expect(
            DiscoMessage.pong(sampleID, source: sampleEndpoints[0]).encoded()
                == bytes("02000102030405060708090a0b0c00000000000000000000ffffc0000201a2a9"))
        #expect(
            DiscoMessage.callMeMaybe(sampleEndpoints).encoded()
                == bytes(
                    "030000000000000000000000ffffc0000201a2a920010db80000000000000000000000010007"))
    }

    @Test("the fixed part of a relay endpoint has 124 bytes, the common part of a binding 72")
    func relaySizes() {
        #expect(DiscoMessage.callMeMaybeVia(sampleRelay).encoded().count == 2 + 124 + 2 * 18)
        #expect(DiscoMessage.bindRelay(sampleBinding).encoded().count == 2 + 72)
    }

    @Test("every truncation is an error, or a shorter message where the format allows one")
    func truncation() {
        for sample in samples {
            let whole = sample.encoded()
            for count in 0..<whole.count {
                let cut = Array(whole.prefix(count))
                let parsed = try? DiscoMessage(cut.span.bytes)
                #expect(parsed != sample)
            }
        }
    }

    @Test("types and versions of the future are told apart from damage")
    func future() {
        func error(_ plaintext: [UInt8]) -> DiscoMessage.ParseError? {
            do throws(DiscoMessage.ParseError) {
                _ = try DiscoMessage(plaintext.span.bytes)
                return nil
            } catch { return error }
        }
        #expect(error([10, 0]) == .unknownType(10))
        #expect(error([1, 1]) == .unknownVersion(1))
        #expect(error([1]) == .truncated(TruncatedInput(needed: 2, have: 1)))
    }

    @Test("a CallMeMaybe without end is cut at 128 endpoints")
    func bound() throws {
        let many = DiscoMessage.callMeMaybe(
            Array(repeating: sampleEndpoints[0], count: 3_000)
        ).encoded()
        guard case .callMeMaybe(let endpoints) = try DiscoMessage(many.span.bytes) else {
            Issue.record("not a CallMeMaybe")
            return
        }
        #expect(endpoints.count == DiscoMessage.endpointsMax)
    }
}

@Suite("disco envelope")
struct DiscoEnvelopeTests {
    @Test("what one side seals the other opens, and nobody else")
    func seal() throws {
        let alice = PrivateKey<DiscoKind>()
        let bob = PrivateKey<DiscoKind>()
        let eve = PrivateKey<DiscoKind>()
        var random = SecureRandom()
        let sealer = try #require(DiscoBox(own: alice, peer: bob.publicKey))
        let opener = try #require(DiscoBox(own: bob, peer: alice.publicKey))
        let stranger = try #require(DiscoBox(own: eve, peer: alice.publicKey))
        let plaintext = DiscoMessage.ping(sampleID, nodeKey: key(5)).encoded()
        let datagram = sealer.seal(plaintext.span.bytes, random: &random)
        #expect(datagram.count == 124, "the size of an unpadded ping with node key")
        guard let envelope = DiscoEnvelope(datagram.span.bytes) else {
            Issue.record("no envelope")
            return
        }
        let sender = envelope.sender
        let opened = opener.open(envelope)
        let denied = stranger.open(envelope)
        #expect(sender == alice.publicKey)
        #expect(opened == plaintext)
        #expect(denied == nil)
    }

    @Test("a flipped bit anywhere behind the key is noticed")
    func tampering() throws {
        let alice = PrivateKey<DiscoKind>()
        let bob = PrivateKey<DiscoKind>()
        var random = SecureRandom()
        let sealer = try #require(DiscoBox(own: alice, peer: bob.publicKey))
        let opener = try #require(DiscoBox(own: bob, peer: alice.publicKey))
        let datagram = sealer.seal(([3, 0, 1, 2, 3] as [UInt8]).span.bytes, random: &random)
        for index in 38..<datagram.count {
            var damaged = datagram
            damaged[index] ^= 0x10
            guard let envelope = DiscoEnvelope(damaged.span.bytes) else {
                Issue.record("no envelope")
                return
            }
            let opened = opener.open(envelope)
            #expect(opened == nil)
        }
    }

    @Test("a key of small order makes no box")
    func smallOrder() {
        let box = DiscoBox(own: PrivateKey(), peer: .zero)
        #expect(box == nil)
    }
}
