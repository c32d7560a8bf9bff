internal import CryptoPrimitives
internal import NetTypes
internal import Noise
internal import WireGuardMessages

/// The responder's side of a handshake (`Noise_IKpsk2`, paper §5.4), in three steps, because the
/// peer is known only after the first and the response is due only after the second.
struct ReceivedInitiation: ~Copyable {
    /// The static key the initiator claims. Proven by `openTimestamp`.
    let remoteKey: NodeKey
    let senderIndex: UInt32
    private let ephemeral: Bytes32
    private var symmetric: SymmetricState

    /// Nil when the message is not sealed for us.
    init?(_ message: borrowing InitiationMessage, local: PrivateKey<NodeKind>) {
        var state = SymmetricState.tunnel(responder: local.publicKey)
        let ephemeral = message.ephemeral
        // e
        state.mixKey(ephemeral)
        state.mixHash(ephemeral)
        // es
        guard let es = local.sharedSecret(with: ephemeral) else { return nil }
        let staticKey = state.mixKeyDerivingKey(es)
        // s
        guard let remote = state.openAndHash(message.sealedStatic, key: staticKey) else {
            return nil
        }
        remoteKey = NodeKey(Bytes32(remote))
        senderIndex = message.senderIndex
        self.ephemeral = ephemeral
        symmetric = state
    }

    /// The initiator's timestamp; nil when it does not hold the key it claims.
    mutating func openTimestamp(
        _ message: borrowing InitiationMessage, staticSecret: SecretBytes
    ) -> TAI64N? {
        // ss
        let key = symmetric.mixKeyDerivingKey(staticSecret)
        // {t}
        guard let stamp = symmetric.openAndHash(message.sealedTimestamp, key: key) else {
            return nil
        }
        return unsafe TAI64N(stamp.span.bytes)
    }

    /// The response, its MACs still zero, and the keys. Nil when a key of the initiator is a point
    /// of small order.
    consuming func respond(
        index: UInt32, presharedKey: SecretBytes, ephemeral own: EphemeralKey
    ) -> (message: [UInt8], keys: TransportKeys)? {
        // e
        symmetric.mixHash(own.publicKey.bytes)
        symmetric.mixKey(own.publicKey.bytes)
        // ee
        guard let ee = own.sharedSecret(with: ephemeral) else { return nil }
        symmetric.mixKey(ee)
        // se
        guard let se = own.sharedSecret(with: remoteKey.bytes) else { return nil }
        symmetric.mixKey(se)
        // psk
        let key = symmetric.mixKeyAndHash(presharedKey)
        // {}
        let sealedEmpty = symmetric.sealAndHash(RawSpan(), key: key)
        let message = ResponseMessage.encode(
            senderIndex: index, receiverIndex: senderIndex, ephemeral: own.publicKey.bytes,
            sealedEmpty: sealedEmpty)
        let (receiving, sending) = symmetric.split()
        return (message, TransportKeys(sending: sending, receiving: receiving))
    }
}
