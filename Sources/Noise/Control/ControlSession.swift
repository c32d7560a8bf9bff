internal import CryptoPrimitives
package import NetTypes

/// The records of one control connection after its handshake: ChaCha20-Poly1305 under one key for
/// each direction, the counter **big-endian** in the nonce (the Noise specification has it
/// little-endian), no associated data.
package struct ControlSession: ~Copyable {
    /// The connection is dead after any of these.
    package enum RecordError: Error, Equatable {
        case notAuthentic
        /// A record shorter than its tag.
        case truncated(have: Int)
        /// Another kind of frame than a record.
        case unexpectedFrame(UInt8)
        /// All counters are used up.
        case exhausted
    }

    /// The capability version both sides authenticated.
    package let version: UInt16
    /// Whom we talk to: the machine, or for a client the server.
    package let remoteKey: MachineKey
    /// Channel binding.
    package let handshakeHash: Bytes32

    private let sendingKey: AEADKey
    private let receivingKey: AEADKey
    private var sendingCounter: UInt64
    private var receivingCounter: UInt64

    init(
        version: UInt16, remoteKey: MachineKey, handshakeHash: Bytes32, sending: SecretBytes,
        receiving: SecretBytes, counter: UInt64 = 0
    ) {
        self.version = version
        self.remoteKey = remoteKey
        self.handshakeHash = handshakeHash
        sendingKey = AEADKey(sending)
        receivingKey = AEADKey(receiving)
        sendingCounter = counter
        receivingCounter = counter
    }

    /// Appends `plaintext` to `output` as records of at most 4096 bytes each; nothing for no bytes.
    package mutating func seal(
        _ plaintext: RawSpan, appendingTo output: inout [UInt8]
    ) throws(RecordError) {
        let limit = ControlProtocol.maximumPlaintextByteCount
        let records = (plaintext.byteCount + limit - 1) / limit
        let overhead = ControlProtocol.headerByteCount + AEADKey.tagByteCount
        output.reserveCapacity(output.count + plaintext.byteCount + records * overhead)
        var offset = 0
        while offset < plaintext.byteCount {
            let count = min(limit, plaintext.byteCount - offset)
            try sealRecord(
                plaintext.extracting(offset..<offset + count), appendingTo: &output)
            offset += count
        }
    }

    private mutating func sealRecord(
        _ plaintext: RawSpan, appendingTo output: inout [UInt8]
    ) throws(RecordError) {
        guard sendingCounter < .max else { throw .exhausted }
        let length = plaintext.byteCount + AEADKey.tagByteCount
        let start = output.count
        output.append(ControlFrame.Kind.record.rawValue)
        output.appendBigEndian(UInt16(length))
        output.append(contentsOf: repeatElement(0, count: length))
        var span = output.mutableSpan
        var bytes = unsafe span.mutableBytes
        let body = start + ControlProtocol.headerByteCount
        bytes.copy(plaintext, at: body)
        var record = bytes._mutatingExtracting(body..<body + length)
        sendingKey.seal(inPlace: &record, counter: sendingCounter, order: .bigEndian)
        sendingCounter += 1
    }

    /// The plaintext of a record, which may be empty.
    package mutating func open(_ frame: consuming ControlFrame) throws(RecordError) -> [UInt8] {
        guard frame.kind == .record else { throw .unexpectedFrame(frame.kind.rawValue) }
        guard receivingCounter < .max else { throw .exhausted }
        var text = frame.body
        guard text.count >= AEADKey.tagByteCount else { throw .truncated(have: text.count) }
        var span = text.mutableSpan
        var bytes = unsafe span.mutableBytes
        guard receivingKey.open(inPlace: &bytes, counter: receivingCounter, order: .bigEndian)
        else { throw .notAuthentic }
        receivingCounter += 1
        text.removeLast(AEADKey.tagByteCount)
        return text
    }
}
