internal import CryptoPrimitives
internal import NetTypes
internal import WireGuardMessages

/// The two keys a handshake ends with.
struct TransportKeys {
    var sending: SecretBytes
    var receiving: SecretBytes
}

/// One keypair with a peer: seals and opens until it is 180 seconds old. Its keys are wiped with it.
struct Session: ~Copyable {
    let peer: Int
    /// What the peer puts into its packets.
    let localIndex: UInt32
    /// What we put into ours.
    let remoteIndex: UInt32
    let isInitiator: Bool
    let createdAt: MonotonicInstant
    let sendingKey: AEADKey
    let receivingKey: AEADKey
    var nextCounter: UInt64 = 0
    var replayWindow = ReplayWindow()

    init(
        peer: Int, localIndex: UInt32, remoteIndex: UInt32, isInitiator: Bool, keys: TransportKeys,
        cipher: CipherBackend, at now: MonotonicInstant
    ) {
        self.peer = peer
        self.localIndex = localIndex
        self.remoteIndex = remoteIndex
        self.isInitiator = isInitiator
        createdAt = now
        sendingKey = AEADKey(keys.sending, backend: cipher)
        receivingKey = AEADKey(keys.receiving, backend: cipher)
    }

    func isExpired(at now: MonotonicInstant) -> Bool {
        now - createdAt >= WireGuardConstants.rejectAfterTime
    }
    func canSend(at now: MonotonicInstant) -> Bool {
        !isExpired(at: now) && nextCounter < WireGuardConstants.rejectAfterMessages
    }

    /// Whether what was just sent is a reason to agree on new keys.
    func needsRekeyAfterSending(at now: MonotonicInstant) -> Bool {
        nextCounter > WireGuardConstants.rekeyAfterMessages
            || isInitiator && now - createdAt >= WireGuardConstants.rekeyAfterTime
    }
    /// Whether what was just received is.
    func needsRekeyAfterReceiving(at now: MonotonicInstant) -> Bool {
        isInitiator && now - createdAt >= WireGuardConstants.rekeyOnReceiveAge
    }
}

/// The numbers of a peer's sessions.
struct Keypairs: Equatable {
    /// Still opens packets that were on the way when `current` came.
    var previous: Int?
    /// Seals and opens.
    var current: Int?
    /// We answered the handshake and may not send before the peer has shown that it has the keys.
    var next: Int?

    /// Puts a session we initiated in place and returns the ones that are no longer needed.
    mutating func installInitiated(_ session: Int) -> (Int?, Int?) {
        let retired: (Int?, Int?)
        if let next {
            retired = (previous, current)
            previous = next
            self.next = nil
        } else {
            retired = (previous, nil)
            previous = current
        }
        current = session
        return retired
    }

    /// Puts a session we responded with in place and returns the ones that are no longer needed.
    mutating func installResponded(_ session: Int) -> (Int?, Int?) {
        let retired = (previous, next)
        previous = nil
        next = session
        return retired
    }

    /// A packet opened with `next`: it becomes `current`. Returns the one no longer needed.
    mutating func confirmNext() -> Int? {
        let retired = previous
        previous = current
        current = next
        next = nil
        return retired
    }

    mutating func removeAll() -> [Int] {
        let all = [previous, current, next].compactMap { $0 }
        self = Keypairs()
        return all
    }
}
