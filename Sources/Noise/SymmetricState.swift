package import CryptoPrimitives
package import NetTypes

/// The chaining key and transcript hash of a Noise handshake (Noise §5.2) with BLAKE2s and
/// ChaCha20-Poly1305: what the control channel's IK and WireGuard's IKpsk2 have in common.
///
/// Every key either pattern derives seals one text only, so keys are handed out rather than kept,
/// and the nonce is always zero.
package struct SymmetricState: ~Copyable {
    private var chainingKey: SecretBytes
    /// The hash of everything both sides have seen so far: the channel binding once complete.
    package private(set) var handshakeHash: Bytes32

    /// Starts from the name of the protocol, longer than a hash: both of ours are.
    package init(protocolName: String) {
        let name = Array(protocolName.utf8)
        precondition(name.count > 32, "a shorter name would be padded, not hashed")
        unsafe handshakeHash = BLAKE2s.hash(name.span.bytes)
        chainingKey = handshakeHash.withBytes { SecretBytes(copying: $0) }
    }

    /// A copy to continue from: WireGuard looks a peer up in the middle of a message.
    private init(chainingKey: SecretBytes, handshakeHash: Bytes32) {
        self.chainingKey = chainingKey
        self.handshakeHash = handshakeHash
    }
    package func copy() -> SymmetricState {
        SymmetricState(chainingKey: chainingKey, handshakeHash: handshakeHash)
    }

    /// Takes public bytes into the transcript.
    package mutating func mixHash(_ bytes: RawSpan) {
        handshakeHash = handshakeHash.withBytes { BLAKE2s.hash($0, bytes) }
    }
    package mutating func mixHash(_ bytes: Bytes32) {
        bytes.withBytes { mixHash($0) }
    }

    /// Takes public bytes into the chaining key: in IKpsk2 ephemeral keys are mixed like this.
    package mutating func mixKey(_ bytes: Bytes32) {
        chainingKey = bytes.withBytes { KeyDerivation.derive1(chainingKey, $0) }
    }
    /// Takes a Diffie–Hellman secret into the chaining key without deriving a key from it.
    package mutating func mixKey(_ secret: SecretBytes) {
        chainingKey = secret.withBytes { KeyDerivation.derive1(chainingKey, $0) }
    }
    /// Takes a Diffie–Hellman secret in and returns the key for the next sealed text.
    package mutating func mixKeyDerivingKey(_ secret: SecretBytes) -> SecretBytes {
        let (next, key) = secret.withBytes { KeyDerivation.derive2(chainingKey, $0) }
        chainingKey = next
        return key
    }
    /// Takes a pre-shared key in (Noise §9, `MixKeyAndHash`) and returns the key for the next text.
    package mutating func mixKeyAndHash(_ presharedKey: SecretBytes) -> SecretBytes {
        let (next, hashed, key) = presharedKey.withBytes {
            KeyDerivation.derive3(chainingKey, $0)
        }
        chainingKey = next
        hashed.withBytes { mixHash($0) }
        return key
    }

    /// The text sealed under `key` with the transcript as associated data, taken into the
    /// transcript. Sixteen bytes longer than `text`.
    package mutating func sealAndHash(_ text: RawSpan, key: SecretBytes) -> [UInt8] {
        var sealed = text.array + [UInt8](repeating: 0, count: AEADKey.tagByteCount)
        let aead = AEADKey(key)
        handshakeHash.withBytes { transcript in
            var span = sealed.mutableSpan
            var bytes = unsafe span.mutableBytes
            aead.seal(inPlace: &bytes, counter: 0, authenticating: transcript)
        }
        unsafe mixHash(sealed.span.bytes)
        return sealed
    }

    /// The text inside `sealed`; nil, with the transcript unchanged, when it is not authentic.
    package mutating func openAndHash(_ sealed: RawSpan, key: SecretBytes) -> [UInt8]? {
        var text = sealed.array
        let aead = AEADKey(key)
        let isAuthentic = handshakeHash.withBytes { transcript in
            var span = text.mutableSpan
            var bytes = unsafe span.mutableBytes
            return aead.open(inPlace: &bytes, counter: 0, authenticating: transcript)
        }
        guard isAuthentic else { return nil }
        mixHash(sealed)
        text.removeLast(AEADKey.tagByteCount)
        return text
    }

    /// The two transport keys, the initiator's sending one first (Noise §5.2, `Split`).
    package func split() -> (SecretBytes, SecretBytes) {
        KeyDerivation.derive2(chainingKey, RawSpan())
    }
}
