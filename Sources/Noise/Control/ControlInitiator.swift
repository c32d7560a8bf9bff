package import CryptoPrimitives
package import NetTypes

/// The client's side of the control channel's handshake, `Noise_IK_25519_ChaChaPoly_BLAKE2s`.
///
/// Send `initiation`, then give the first frame that comes back to `finish`. Every attempt needs a
/// fresh value: the ephemeral key inside must not be used twice.
package struct ControlInitiator: ~Copyable {
    /// The 101 bytes that open the conversation.
    package let initiation: [UInt8]

    private let version: UInt16
    private let machineKey: PrivateKey<MachineKind>
    private let serverKey: MachineKey
    private let ephemeral: EphemeralKey
    private var symmetric: SymmetricState

    /// `version` is the capability version, which the handshake authenticates. Throws `invalidKey`
    /// when the server's key cannot be one.
    package init(
        version: UInt16, machineKey: PrivateKey<MachineKind>, serverKey: MachineKey,
        ephemeral: EphemeralKey
    ) throws(ControlHandshakeError) {
        var state = SymmetricState(protocolName: ControlProtocol.name)
        unsafe state.mixHash(ControlProtocol.prologue(version: version).span.bytes)
        state.mixHash(serverKey.bytes)

        var message: [UInt8] = []
        message.appendBigEndian(version)
        message.append(1)
        message.appendBigEndian(
            UInt16(
                ControlProtocol.initiationByteCount - ControlProtocol.initiationHeaderByteCount))

        // e
        message.append(ephemeral.publicKey.bytes)
        state.mixHash(ephemeral.publicKey.bytes)
        // es
        guard let es = ephemeral.sharedSecret(with: serverKey.bytes) else { throw .invalidKey }
        let staticKey = state.mixKeyDerivingKey(es)
        // s
        message += machineKey.publicKey.bytes.withBytes { state.sealAndHash($0, key: staticKey) }
        // ss
        guard let ss = machineKey.sharedSecret(with: serverKey.bytes) else { throw .invalidKey }
        let payloadKey = state.mixKeyDerivingKey(ss)
        message += state.sealAndHash(RawSpan(), key: payloadKey)

        initiation = message
        self.version = version
        self.machineKey = machineKey
        self.serverKey = serverKey
        self.ephemeral = ephemeral
        symmetric = state
    }

    package init(
        version: UInt16, machineKey: PrivateKey<MachineKind>, serverKey: MachineKey,
        random: inout some RandomNumberGenerator
    ) throws(ControlHandshakeError) {
        try self.init(
            version: version, machineKey: machineKey, serverKey: serverKey,
            ephemeral: EphemeralKey(random: &random))
    }

    /// The session, from the server's first frame. Throws `refused` with the server's words when
    /// that is an error frame.
    package consuming func finish(
        _ frame: ControlFrame
    ) throws(ControlHandshakeError) -> ControlSession {
        switch frame.kind {
        case .response: break
        case .error: throw .refused(frame.errorText)
        case .record: throw .wrongType(frame.kind.rawValue)
        }
        let needed = ControlProtocol.responseByteCount - ControlProtocol.headerByteCount
        guard frame.body.count == needed else {
            throw .wrongLength(needed: needed, have: frame.body.count)
        }
        let body = unsafe frame.body.span.bytes
        // e
        let remote = Bytes32(body.extracting(0..<32))
        symmetric.mixHash(remote)
        // ee
        guard let ee = ephemeral.sharedSecret(with: remote) else { throw .invalidKey }
        symmetric.mixKey(ee)
        // se
        guard let se = machineKey.sharedSecret(with: remote) else { throw .invalidKey }
        let key = symmetric.mixKeyDerivingKey(se)
        guard symmetric.openAndHash(body.extracting(32..<needed), key: key) != nil else {
            throw .notAuthentic
        }
        let (sending, receiving) = symmetric.split()
        return ControlSession(
            version: version, remoteKey: serverKey, handshakeHash: symmetric.handshakeHash,
            sending: sending, receiving: receiving)
    }
}
