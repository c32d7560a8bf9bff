internal import NetTypes
internal import WireGuardMessages

/// The five timers of a peer, each of them armed for one instant:
///
/// - `retransmitHandshake`: an initiation got no answer within 5 s (and jitter): send another, and
///   give up after 90 s.
/// - `sendKeepalive`: data came in and nothing went back for 10 s: show that we are here.
/// - `newHandshake`: data went out and nothing came back for 15 s (and jitter): the session may be
///   dead on the other side.
/// - `zeroKeys`: 540 s after the last session was derived: wipe everything.
/// - `persistentKeepalive`: no authenticated packet in either direction for the configured time.
///
/// The rest of the engine only reports what happened, in the words of the functions below; when a
/// timer is armed or stopped is decided here and nowhere else.
struct PeerTimers {
    enum Timer: Int, CaseIterable {
        case retransmitHandshake, sendKeepalive, newHandshake, zeroKeys, persistentKeepalive
    }

    /// What to do about a timer that has expired.
    enum Expiry: Equatable {
        case resendInitiation
        case abandonHandshake
        case sendKeepalive
        case initiateHandshake
        case zeroKeys
        case sendPersistentKeepalive
    }

    private static let idle = MonotonicInstant(nanoseconds: .max)

    private var deadlines = [5 of MonotonicInstant](repeating: PeerTimers.idle)
    private var handshakeAttempts: Int64 = 0
    private var needsAnotherKeepalive = false
    /// Set when a received packet made us renew a session close to its end: once is enough.
    private(set) var hasRekeyedOnReceive = false
    /// Zero: off.
    var persistentKeepaliveInterval = Nanoseconds.zero

    /// When to ask for `takeExpired` next.
    var nextDeadline: MonotonicInstant? {
        var earliest = deadlines[0]
        for index in 1..<5 where deadlines[index] < earliest { earliest = deadlines[index] }
        return earliest == Self.idle ? nil : earliest
    }

    // MARK: What happened

    mutating func dataSent(at now: MonotonicInstant, jitter: Nanoseconds) {
        guard !isArmed(.newHandshake) else { return }
        arm(
            .newHandshake,
            at: now + WireGuardConstants.keepaliveTimeout + WireGuardConstants.rekeyTimeout
                + jitter)
    }

    mutating func dataReceived(at now: MonotonicInstant) {
        if isArmed(.sendKeepalive) {
            needsAnotherKeepalive = true
        } else {
            arm(.sendKeepalive, at: now + WireGuardConstants.keepaliveTimeout)
        }
    }

    /// Data, keepalive or handshake message.
    mutating func authenticatedPacketSent(at now: MonotonicInstant) {
        stop(.sendKeepalive)
        authenticatedPacketPassed(at: now)
    }

    /// Data, keepalive or handshake message.
    mutating func authenticatedPacketReceived(at now: MonotonicInstant) {
        stop(.newHandshake)
        authenticatedPacketPassed(at: now)
    }

    private mutating func authenticatedPacketPassed(at now: MonotonicInstant) {
        guard persistentKeepaliveInterval > .zero else { return }
        arm(.persistentKeepalive, at: now + persistentKeepaliveInterval)
    }

    /// Someone other than the retransmission timer wants a handshake.
    mutating func handshakeRequested() { handshakeAttempts = 0 }

    mutating func handshakeInitiated(at now: MonotonicInstant, jitter: Nanoseconds) {
        arm(.retransmitHandshake, at: now + WireGuardConstants.rekeyTimeout + jitter)
    }

    /// The session is usable: response received, or our response confirmed.
    mutating func handshakeCompleted() {
        stop(.retransmitHandshake)
        handshakeAttempts = 0
        hasRekeyedOnReceive = false
    }

    mutating func sessionDerived(at now: MonotonicInstant) {
        arm(.zeroKeys, at: now + WireGuardConstants.zeroKeyTime)
    }

    mutating func rekeyedOnReceive() { hasRekeyedOnReceive = true }

    mutating func persistentKeepaliveChanged(to interval: Nanoseconds, at now: MonotonicInstant) {
        guard interval != persistentKeepaliveInterval else { return }
        persistentKeepaliveInterval = interval
        if interval > .zero {
            // The first one opens the way at once.
            arm(.persistentKeepalive, at: now)
        } else {
            stop(.persistentKeepalive)
        }
    }

    /// The keys are gone (our own key changed): nothing of the past matters.
    mutating func sessionsErased() {
        for timer in Timer.allCases where timer != .persistentKeepalive { stop(timer) }
        handshakeAttempts = 0
        needsAnotherKeepalive = false
        hasRekeyedOnReceive = false
    }

    // MARK: What to do

    /// The next timer that has expired, already stopped or armed again. Call until nil.
    mutating func takeExpired(at now: MonotonicInstant) -> Expiry? {
        guard let timer = Timer.allCases.first(where: { deadlines[$0.rawValue] <= now }) else {
            return nil
        }
        stop(timer)
        switch timer {
        case .retransmitHandshake: return retransmissionExpired(at: now)
        case .sendKeepalive:
            if needsAnotherKeepalive {
                needsAnotherKeepalive = false
                arm(.sendKeepalive, at: now + WireGuardConstants.keepaliveTimeout)
            }
            return .sendKeepalive
        case .newHandshake: return .initiateHandshake
        case .zeroKeys: return .zeroKeys
        case .persistentKeepalive:
            // Armed again here too, in case nothing can be sent now.
            arm(.persistentKeepalive, at: now + persistentKeepaliveInterval)
            return .sendPersistentKeepalive
        }
    }

    private mutating func retransmissionExpired(at now: MonotonicInstant) -> Expiry {
        guard handshakeAttempts <= WireGuardConstants.maxTimerHandshakes else {
            stop(.sendKeepalive)
            if !isArmed(.zeroKeys) { sessionDerived(at: now) }
            return .abandonHandshake
        }
        handshakeAttempts += 1
        return .resendInitiation
    }

    private func isArmed(_ timer: Timer) -> Bool { deadlines[timer.rawValue] != Self.idle }
    private mutating func arm(_ timer: Timer, at deadline: MonotonicInstant) {
        deadlines[timer.rawValue] = deadline
    }
    private mutating func stop(_ timer: Timer) { deadlines[timer.rawValue] = Self.idle }
}
