internal import CryptoPrimitives
internal import NetTypes
internal import Noise
internal import WireGuardMessages

/// The initiator's side of a handshake between its two messages (`Noise_IKpsk2`, paper §5.4).
///
/// A response that does not check out leaves it unchanged, because anyone may send one.
final class OutstandingInitiation {
    /// Our index in the initiation.
    let index: UInt32
    private let ephemeral: EphemeralKey
    private let symmetric: SymmetricState

    private init(index: UInt32, ephemeral: EphemeralKey, symmetric: consuming SymmetricState) {
        self.index = index
        self.ephemeral = ephemeral
        self.symmetric = symmetric
    }

    /// A message, its MACs still zero, and what is needed to understand the answer. Nil when the
    /// peer's key is a point of small order.
    static func make(
        from local: PrivateKey<NodeKind>, to remote: NodeKey, staticSecret: SecretBytes,
        index: UInt32, timestamp: TAI64N, ephemeral: EphemeralKey
    ) -> (message: [UInt8], outstanding: OutstandingInitiation)? {
        var state = SymmetricState.tunnel(responder: remote)
        // e
        state.mixKey(ephemeral.publicKey.bytes)
        state.mixHash(ephemeral.publicKey.bytes)
        // es
        guard let es = ephemeral.sharedSecret(with: remote.bytes) else { return nil }
        let staticKey = state.mixKeyDerivingKey(es)
        // s
        let sealedStatic = local.publicKey.bytes.withBytes {
            state.sealAndHash($0, key: staticKey)
        }
        // ss
        let timestampKey = state.mixKeyDerivingKey(staticSecret)
        // {t}
        let stamp = timestamp.array
        let sealedTimestamp = unsafe state.sealAndHash(stamp.span.bytes, key: timestampKey)

        let message = InitiationMessage.encode(
            senderIndex: index, ephemeral: ephemeral.publicKey.bytes, sealedStatic: sealedStatic,
            sealedTimestamp: sealedTimestamp)
        return (
            message,
            OutstandingInitiation(index: index, ephemeral: ephemeral, symmetric: state)
        )
    }

    /// The keys, when the response is authentic.
    func finish(
        _ response: borrowing ResponseMessage, local: PrivateKey<NodeKind>,
        presharedKey: SecretBytes
    ) -> TransportKeys? {
        var state = symmetric.copy()
        let remote = response.ephemeral
        // e
        state.mixHash(remote)
        state.mixKey(remote)
        // ee
        guard let ee = ephemeral.sharedSecret(with: remote) else { return nil }
        state.mixKey(ee)
        // se
        guard let se = local.sharedSecret(with: remote) else { return nil }
        state.mixKey(se)
        // psk
        let key = state.mixKeyAndHash(presharedKey)
        // {}
        guard state.openAndHash(response.sealedEmpty, key: key) != nil else { return nil }
        let (sending, receiving) = state.split()
        return TransportKeys(sending: sending, receiving: receiving)
    }
}
