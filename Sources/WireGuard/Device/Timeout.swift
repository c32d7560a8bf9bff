package import NetTypes
internal import WireGuardMessages

// Timers, and the public-key work put aside by the inputs.
extension WireGuardDevice {
    /// Call once at each wake-up after the inputs, not only when `nextDeadline` has passed.
    ///
    /// `civil` is the time of day, for the timestamps of initiations and the time of the last
    /// handshake.
    package mutating func handleTimeout(at now: MonotonicInstant, civil: Timestamp) {
        clock.set(civil, at: now)
        while let number = deadlines.firstDue(at: now) {
            while let expiry = peers[number].timers.takeExpired(at: now) {
                handle(expiry, of: number, at: now)
            }
            deadlines.set(peers[number].timers.nextDeadline, for: number)
        }
        var budget = configuration.handshakesPerWakeUp
        // Both kinds take turns, so that a flood of one does not hold up the other.
        while budget > 0, !handshakes.isIdle {
            if let pending = handshakes.received.popFirst() {
                budget -= 1
                consume(pending, at: now)
            }
            if budget > 0, let number = handshakes.initiations.popFirst() {
                budget -= initiateHandshake(with: number, at: now) ? 1 : 0
            }
        }
    }

    private mutating func handle(
        _ expiry: PeerTimers.Expiry, of number: Int, at now: MonotonicInstant
    ) {
        switch expiry {
        case .resendInitiation: requestHandshake(with: number, isRetry: true, at: now)
        case .initiateHandshake: requestHandshake(with: number, isRetry: false, at: now)
        case .sendKeepalive, .sendPersistentKeepalive: sendKeepalive(to: number, at: now)
        case .abandonHandshake:
            count(.handshakeAbandoned, peers[number].staged.count)
            peers[number].staged.removeAll()
            peers[number].owesKeepalive = false
            forgetInitiation(of: number)
            emit(.handshakeAbandoned(PeerIndex(number: number)))
        case .zeroKeys:
            eraseKeys(of: number)
            emit(.keysErased(PeerIndex(number: number)))
        }
    }

    mutating func emit(_ event: WireGuardEvent) {
        // A caller that does not poll loses the oldest.
        _ = output.events.appendDroppingOldest(event)
    }
}
