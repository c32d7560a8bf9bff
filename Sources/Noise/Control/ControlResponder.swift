package import CryptoPrimitives
package import NetTypes

/// The server's side of the control channel's handshake: made from an initiation, it holds the
/// response to send and becomes the session.
///
/// Any machine key and version is accepted here. Who may do what is decided later.
package struct ControlResponder: ~Copyable {
    /// The 51 bytes to send.
    package let response: [UInt8]
    /// The capability version the client speaks.
    package let version: UInt16
    /// The client's key, proven by the handshake once a first record arrives.
    package let machineKey: MachineKey

    private let handshakeHash: Bytes32
    private let sending: SecretBytes
    private let receiving: SecretBytes

    /// Throws for anything but a well-formed initiation sealed for `serverKey`. The error says
    /// whether a reply is due (`replyText`).
    package init(
        initiation: RawSpan, serverKey: PrivateKey<MachineKind>, ephemeral: EphemeralKey
    ) throws(ControlHandshakeError) {
        let opened = try OpenedInitiation(initiation, serverKey: serverKey)
        var state = opened.symmetric.copy()
        var message = [ControlFrame.Kind.response.rawValue]
        message.appendBigEndian(
            UInt16(ControlProtocol.responseByteCount - ControlProtocol.headerByteCount))
        // e
        message.append(ephemeral.publicKey.bytes)
        state.mixHash(ephemeral.publicKey.bytes)
        // ee
        guard let ee = ephemeral.sharedSecret(with: opened.ephemeral) else { throw .invalidKey }
        state.mixKey(ee)
        // se
        guard let se = ephemeral.sharedSecret(with: opened.machineKey.bytes) else {
            throw .invalidKey
        }
        let key = state.mixKeyDerivingKey(se)
        message += state.sealAndHash(RawSpan(), key: key)
        version = opened.version
        machineKey = opened.machineKey
        response = message
        handshakeHash = state.handshakeHash
        (receiving, sending) = state.split()
    }

    package init(
        initiation: RawSpan, serverKey: PrivateKey<MachineKind>,
        random: inout some RandomNumberGenerator
    ) throws(ControlHandshakeError) {
        try self.init(
            initiation: initiation, serverKey: serverKey,
            ephemeral: EphemeralKey(random: &random))
    }

    package consuming func session() -> ControlSession {
        ControlSession(
            version: version, remoteKey: machineKey, handshakeHash: handshakeHash,
            sending: sending, receiving: receiving)
    }
}

/// What an authentic initiation says.
private struct OpenedInitiation: ~Copyable {
    let version: UInt16
    let machineKey: MachineKey
    let ephemeral: Bytes32
    let symmetric: SymmetricState

    init(
        _ message: RawSpan, serverKey: PrivateKey<MachineKind>
    ) throws(ControlHandshakeError) {
        guard message.byteCount == ControlProtocol.initiationByteCount else {
            throw .wrongLength(
                needed: ControlProtocol.initiationByteCount, have: message.byteCount)
        }
        guard message.byte(at: 2) == 1 else { throw .wrongType(message.byte(at: 2)) }
        let length: UInt16 = message.bigEndian(at: 3)
        let header = ControlProtocol.initiationHeaderByteCount
        guard Int(length) == ControlProtocol.initiationByteCount - header else {
            throw .wrongLengthField(length)
        }
        let version: UInt16 = message.bigEndian(at: 0)
        var state = SymmetricState(protocolName: ControlProtocol.name)
        unsafe state.mixHash(ControlProtocol.prologue(version: version).span.bytes)
        state.mixHash(serverKey.publicKey.bytes)
        // e
        let ephemeral = Bytes32(message.extracting(header..<header + 32))
        state.mixHash(ephemeral)
        // es
        guard let es = serverKey.sharedSecret(with: ephemeral) else { throw .invalidKey }
        let staticKey = state.mixKeyDerivingKey(es)
        // s
        let sealedKeyEnd = header + 32 + ControlProtocol.sealedKeyByteCount
        let sealedKey = message.extracting(header + 32..<sealedKeyEnd)
        guard let remote = state.openAndHash(sealedKey, key: staticKey) else {
            throw .notAuthentic
        }
        let machineKey = MachineKey(Bytes32(remote))
        // ss
        guard let ss = serverKey.sharedSecret(with: machineKey.bytes) else { throw .invalidKey }
        let payloadKey = state.mixKeyDerivingKey(ss)
        let tag = message.extracting(sealedKeyEnd..<message.byteCount)
        guard state.openAndHash(tag, key: payloadKey) != nil else { throw .notAuthentic }
        self.version = version
        self.machineKey = machineKey
        self.ephemeral = ephemeral
        symmetric = state
    }
}
