import CryptoPrimitives
import NetTypes
import Testing

private func bytes(_ hex: String) -> [UInt8] { Hexadecimal.decode(hex)! }
private func secret(_ hex: String) -> SecretBytes { SecretBytes(copying: bytes(hex).span.bytes) }

@Suite("crypto primitives")
struct CryptoPrimitivesTests {
    // RFC 7748 §5.2 and §6.1.
    @Test func x25519MatchesTheRFC() throws {
        let product = try #require(
            X25519.multiply(
                secret("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"),
                Bytes32(bytes("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"))))
        #expect(
            product.withBytes { $0.array }
                == bytes("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"))
        #expect(X25519.multiply(product, Bytes32()) == nil)
    }

    @Test func privateKeysKeepTheirTextAndHideIt() throws {
        let text = "privkey:30540f6cd3c78d74a34020c9a3ee93671c84e93fbef06c78dbef2c54423b755f"
        let key = try #require(PrivateKey<NodeKind>(text: text))
        #expect(
            key.publicKey.description
                == "nodekey:830456627c3af22bea5a6c5538979f052b72db423bff532a87a0d06a3907f97b")
        #expect(key.storedText == text)
        #expect(!"\(key) \(key.secret)".contains("30540f6c"))
        #expect(PrivateKey<NodeKind>(text: String(text.dropLast())) == nil)
        let fresh = PrivateKey<NodeKind>().secret.withBytes { $0.array }
        #expect(fresh[0] & 7 == 0 && fresh[31] & 0xC0 == 0x40)
    }

    // RFC 8439 §2.8.2.
    @Test func chaCha20Poly1305MatchesTheRFC() {
        let zero = AEADKey(secret(String(repeating: "00", count: 32)))
        var buffer = Array("hello".utf8) + [UInt8](repeating: 0, count: 16)
        var span = buffer.mutableSpan
        var raw = span.mutableBytes
        zero.seal(inPlace: &raw, counter: 1)
        let sealed = buffer
        #expect(Array(sealed.prefix(5)) != Array("hello".utf8))
        span = buffer.mutableSpan
        raw = span.mutableBytes
        #expect(zero.open(inPlace: &raw, counter: 1))
        #expect(Array(buffer.prefix(5)) == Array("hello".utf8))
        for position in sealed.indices {
            buffer = sealed
            buffer[position] ^= 1
            span = buffer.mutableSpan
            raw = span.mutableBytes
            #expect(!zero.open(inPlace: &raw, counter: 1))
        }
        buffer = sealed
        span = buffer.mutableSpan
        raw = span.mutableBytes
        #expect(!zero.open(inPlace: &raw, counter: 1, order: .bigEndian))
    }

    // RFC 7693 appendix B, and the chain constants every WireGuard implementation has.
    @Test func blake2sMatchesTheRFC() {
        let abc = Array("abc".utf8)
        let hashed = BLAKE2s.hash(abc.span.bytes).array
        #expect(
            hashed
                == bytes("508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982"))
        let construction = Array("Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s".utf8)
        let identifier = Array("WireGuard v1 zx2c4 Jason@zx2c4.com".utf8)
        let chain = BLAKE2s.hash(construction.span.bytes)
        #expect(
            chain.array == bytes("60e26daef327efc02ec335e2a025d2d016eb4206f87277f52d38d1988b78cd36")
        )
        let hash = chain.withBytes { BLAKE2s.hash($0, identifier.span.bytes) }
        #expect(
            hash.array == bytes("2211b361081ac566691243db458ad5322d9c6c662293e8b70ee19c65ba079ef3"))
    }

    @Test func keyedBLAKE2sMatchesTheReference() {
        let label = Array("mac1----".utf8)
        let publicKey = (0..<32).map { UInt8($0) }
        let key = BLAKE2s.hash(label.span.bytes, publicKey.span.bytes)
        #expect(
            key.array == bytes("4fb2527ac956001553dc1ad9b55171b7d9daa3de1cdbcd71451830170c7e6cac"))
        let message = [UInt8](repeating: 0, count: 116)
        let mac = key.withBytes { BLAKE2s.mac16(key: $0, message.span.bytes) }
        #expect(mac.span.bytes.array == bytes("4f7c082c2cb05f95395d48389019ca53"))
    }

    @Test func boxesOpenForTheOtherSideOnly() throws {
        let alice = PrivateKey<DiscoKind>()
        let bob = PrivateKey<DiscoKind>()
        let eve = PrivateKey<DiscoKind>()
        var random = SecureRandom()
        let sealed = try #require(BoxKey(alice, bob.publicKey)).seal(
            Array("ping".utf8).span.bytes, random: &random)
        let opened = try #require(BoxKey(bob, alice.publicKey)).open(sealed.span.bytes)
        #expect(opened == Array("ping".utf8))
        let foreign = try #require(BoxKey(eve, alice.publicKey)).open(sealed.span.bytes)
        #expect(foreign == nil)
        #expect(BoxKey(alice, DiscoKey.zero) == nil)
        let short = Array(sealed.prefix(39))
        let cut = try #require(BoxKey(bob, alice.publicKey)).open(short.span.bytes)
        #expect(cut == nil)
    }

    // draft-irtf-cfrg-xchacha-03, A.3.1.
    @Test func xChaCha20Poly1305MatchesTheDraft() {
        let text = Array(
            "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it."
                .utf8)
        let key = Bytes32(bytes("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"))
        let nonce = bytes("404142434445464748494a4b4c4d4e4f5051525354555657")
        let data = bytes("50515253c0c1c2c3c4c5c6c7")
        let sealed = XChaCha20Poly1305.seal(
            text.span.bytes, key: key, nonce: nonce.span.bytes, authenticating: data.span.bytes)
        #expect(Array(sealed.suffix(16)) == bytes("c0875924c1c7987947deafd8780acf49"))
        let opened = XChaCha20Poly1305.open(
            sealed.span.bytes, key: key, nonce: nonce.span.bytes, authenticating: data.span.bytes)
        #expect(opened == text)
    }
}
