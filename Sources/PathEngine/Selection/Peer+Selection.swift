import NetTypes

extension Peer {
    /// A pong for a ping to `endpoint` arrived.
    mutating func notePong(
        from endpoint: Endpoint, roundTrip: Nanoseconds, at now: MonotonicInstant,
        into actions: inout [PeerAction]
    ) {
        guard candidates.index(of: endpoint) != nil else { return }
        candidates.update(endpoint) {
            $0.quality.notePong(roundTrip: roundTrip, at: now)
            $0.probe.stop()
        }
        if endpoint == selection.endpoint {
            noteProofOfSelection(at: now)
        } else if let candidate = candidates[endpoint], shouldSwitch(to: candidate, at: now) {
            select(candidate, at: now, into: &actions)
        }
    }

    private mutating func noteProofOfSelection(at now: MonotonicInstant) {
        if let verification = selection.verification,
            activity.lastDirectDataAt < verification.startedAt
        {
            // The path was fine and the peer just had nothing to say on it.
            selection.calm = min(selection.calm * 2, 16)
        }
        if let endpoint = selection.endpoint, let quality = candidates[endpoint]?.quality {
            selection.adopt(quality)
        }
        activity.lastProofAt = now
        selection.prove(at: now)
        if activity.isActive, isDirect(at: now) {
            discovery.noteDirect(standbyInterval: standbyInterval, at: now)
        }
    }

    private mutating func shouldSwitch(to new: Candidate, at now: MonotonicInstant) -> Bool {
        guard let present = selection.endpoint, isTrusted(at: now) else { return true }
        guard let old = candidates[present] else { return true }
        if old.endpoint.isRelayedPath, !new.endpoint.isRelayedPath { return true }
        return PathScore.isWorthSwitching(from: old.cost, to: new.cost)
            && preferences.take(at: now)
    }

    private mutating func select(
        _ candidate: Candidate, at now: MonotonicInstant, into actions: inout [PeerAction]
    ) {
        selection.select(candidate, at: now)
        activity.lastProofAt = now
        if isDirect(at: now) {
            signalling.isPending = false
            if activity.isActive { discovery.noteDirect(standbyInterval: standbyInterval, at: now) }
        }
        actions.append(.pathChanged(candidate.endpoint))
    }

    mutating func giveUpSelection(into actions: inout [PeerAction]) {
        guard selection.endpoint != nil else { return }
        selection.clear()
        actions.append(.pathChanged(nil))
    }

    // MARK: Doubt

    /// Heartbeats, and the steps from doubt to failure.
    mutating func serviceSelection(at now: MonotonicInstant, into actions: inout [PeerAction]) {
        guard let endpoint = selection.endpoint else { return }
        if selection.verification == nil {
            if let due = doubtDeadline, due <= now {
                let isUnanswered = activity.firstUnansweredAt > activity.lastProofAt
                selection.beginVerification(
                    at: now, origin: isUnanswered ? activity.firstUnansweredAt : nil)
            } else if selection.heartbeat.nextAt <= now {
                selection.heartbeat.nextAt = now + PathTiming.heartbeatInterval
                selection.heartbeat.awaitedSince = now
                ping(endpoint, at: now, into: &actions)
            }
        }
        if let verification = selection.verification {
            verify(endpoint, verification, at: now, into: &actions)
        }
    }

    func selectionDeadline(after now: MonotonicInstant) -> MonotonicInstant? {
        guard selection.endpoint != nil else { return nil }
        guard let verification = selection.verification else {
            return earliest(selection.heartbeat.nextAt, doubtDeadline)
        }
        let end = verification.startedAt + PathTiming.verificationTimeout
        let next = earliest(verification.nextAt, end)
        return verification.isFailing ? next : earliest(next, failureDeadline(verification, now))
    }

    /// When silence becomes suspicious: a packet has gone unanswered, or a heartbeat.
    var doubtDeadline: MonotonicInstant? {
        var next: MonotonicInstant?
        if activity.firstUnansweredAt > activity.lastProofAt {
            next = activity.firstUnansweredAt + calmPatience
        }
        if let since = selection.heartbeat.awaitedSince {
            next = earliest(next, since + max(selection.patience, PathTiming.heartbeatPatience))
        }
        return next
    }

    private var calmPatience: Nanoseconds {
        PathTiming.calmPatience(selection.calm, patience: selection.patience)
    }

    /// The peer speaks from elsewhere: maybe it has moved. One ping tells whether the selected path
    /// still works, unless that is known anyway.
    mutating func doubtIfUnheard(at now: MonotonicInstant) {
        guard isTrusted(at: now), now - activity.lastProofAt >= calmPatience else { return }
        selection.beginVerification(at: now)
    }

    /// The peer sends by relay, so it doubts the direct path or has given it up: our packets go both
    /// ways until a pong shows that it was wrong. If it has not begun to but goes on with it, while
    /// its packets come directly as well, lost pings decide.
    mutating func noteRelayedData(byteCount: Int, at now: MonotonicInstant) {
        let isNews = now - activity.lastRelayedAt >= PathTiming.relayedOnset
        activity.lastRelayedAt = now
        guard isTrusted(at: now) else { return }
        let usedDirect = now - activity.lastDirectDataAt < PathTiming.directDataRecency
        if isNews && usedDirect { return selection.share(doubtAt: now) }
        // Large packets that go on coming by relay may just not pass the direct path.
        guard byteCount < PathTiming.largeDatagramMin else { return }
        if now - activity.lastProofAt >= calmPatience {
            selection.share(doubtAt: now)
        } else if selection.verification == nil, now - selection.lastPongAt >= calmPatience {
            selection.beginVerification(at: now)
        }
    }

    private mutating func verify(
        _ endpoint: Endpoint, _ verification: Selection.Verification, at now: MonotonicInstant,
        into actions: inout [PeerAction]
    ) {
        if now >= verification.startedAt + PathTiming.verificationTimeout {
            return giveUpSelection(into: &actions)
        }
        if !verification.isFailing, let due = failureDeadline(verification, now), due <= now {
            if let other = alternative(since: verification.startedAt) {
                return select(other, at: now, into: &actions)
            }
            if !endpoint.isRelayedPath {
                lostEndpoint = endpoint
                lostAt = now
            }
            selection.fail()
            discovery.begin(at: now)
        }
        if verification.nextAt <= now {
            // Large packets may be lost where small ones pass: both are tried.
            let size = verification.sent % 2 == 0 ? sizeInQuestion : 0
            ping(endpoint, byteCount: size, at: now, into: &actions)
            if size > 0 {
                let isCopying = selection.isCopying || verification.isFailing
                noteSizedPing(size, to: endpoint, isCopying: isCopying, at: now)
            }
            selection.notePing(at: now)
        }
    }

    /// When a path under verification fails. While data still comes in on it, more pings must be
    /// lost than without.
    private func failureDeadline(
        _ verification: Selection.Verification, _ now: MonotonicInstant
    ) -> MonotonicInstant? {
        let end = verification.failsAt
        guard activity.lastProofAt >= verification.startedAt else { return end }
        return verification.sent > PathTiming.missedPingsMax ? max(end, now) : nil
    }

    /// The best other path that has answered since.
    private func alternative(since start: MonotonicInstant) -> Candidate? {
        candidates.candidates
            .filter { $0.endpoint != selection.endpoint && $0.quality.lastPongAt >= start }
            .min { $0.cost < $1.cost }
    }

    private var sizeInQuestion: Int {
        selection.large.count > 0 ? min(selection.large.byteCount, selection.passesIfNotDoubted) : 0
    }

    private mutating func ping(
        _ endpoint: Endpoint, byteCount: Int = 0, at now: MonotonicInstant,
        into actions: inout [PeerAction]
    ) {
        candidates.update(endpoint) {
            $0.probe.notePing(at: now)
            $0.quality.notePing()
        }
        actions.append(.ping(endpoint, byteCount: byteCount))
    }
}
