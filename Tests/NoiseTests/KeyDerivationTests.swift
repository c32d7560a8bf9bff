import CryptoPrimitives
import NetTypes
import Noise
import Testing

@Suite("Noise key derivation")
struct KeyDerivationTests {
    // Data protocol §14: the chaining key WireGuard starts from, with 32 zero bytes as input.
    @Test func threeOutputsMatchTheReference() throws {
        let construction = Array("Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s".utf8)
        let start = BLAKE2s.hash(construction.span.bytes)
        #expect(
            Hexadecimal.encode(start.array)
                == "60e26daef327efc02ec335e2a025d2d016eb4206f87277f52d38d1988b78cd36")
        let chainingKey = start.withBytes { SecretBytes(copying: $0) }
        let zero = [UInt8](repeating: 0, count: 32)
        let (first, second, third) = KeyDerivation.derive3(chainingKey, zero.span.bytes)
        #expect(
            hex(first) == "54476a71af6fe13ff5ced043016fbbccb619b537febb40256a9f3bb96a2fd7a4")
        #expect(
            hex(second) == "fafbf87d23054f79f7ddcb6208d76e704f18d2784393ea8e08f5ca144c957efa")
        #expect(
            hex(third) == "116fb8bcedf28c51d39dc132383558ce5e2a8269280a644981262daf65049d46")
        let pair = KeyDerivation.derive2(chainingKey, zero.span.bytes)
        #expect(hex(pair.0) == hex(first) && hex(pair.1) == hex(second))
        #expect(hex(KeyDerivation.derive1(chainingKey, zero.span.bytes)) == hex(first))
    }

    @Test func theTranscriptStartsAsTheReferenceSays() {
        var state = SymmetricState(protocolName: "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s")
        state.mixHash(Array("WireGuard v1 zx2c4 Jason@zx2c4.com".utf8).span.bytes)
        let hash = state.handshakeHash
        #expect(
            Hexadecimal.encode(hash.array)
                == "2211b361081ac566691243db458ad5322d9c6c662293e8b70ee19c65ba079ef3")
    }

    private func hex(_ secret: SecretBytes) -> String {
        secret.withBytes { Hexadecimal.encode($0.array) }
    }
}
