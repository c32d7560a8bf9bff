import NetTypes

// What is done for every packet: constant time, no allocation.
extension Peer {
    /// A packet is about to leave. Returns its route, and when `service` should be called next if that
    /// is earlier than was thought.
    @inline(__always)
    mutating func noteSend(
        byteCount: Int, times: Int, at now: MonotonicInstant
    ) -> (route: PathRoute, due: MonotonicInstant?) {
        activity.lastSentAt = now
        let route = route(byteCount: byteCount, at: now)
        var due: MonotonicInstant?
        if !activity.isActive {
            deadline = now
            due = now
        } else if route.direct != nil, activity.firstUnansweredAt <= activity.lastProofAt {
            due = noteUnanswered(at: now)
        }
        if byteCount >= PathTiming.largeDatagramMin, route.direct != nil,
            selection.large.note(byteCount, times: times)
        {
            due = earliest(due, noteCheckDue(at: now))
        }
        return (route, due)
    }

    /// A datagram too large for the direct path, or for what is believed of it, goes by relay.
    @inline(__always)
    func route(byteCount: Int, at now: MonotonicInstant) -> PathRoute {
        let direct = selection.endpoint
        guard direct != nil, now <= selection.trustedUntil, !selection.isCopying else {
            return PathRoute(direct: direct, relayRegion: relayRegion)
        }
        if byteCount <= selection.passes { return PathRoute(direct: direct, relayRegion: nil) }
        let relay = relayRegion
        let isTooLarge = byteCount > selection.passesIfNotDoubted && relay != nil
        return PathRoute(direct: isTooLarge ? nil : direct, relayRegion: relay)
    }

    private mutating func noteCheckDue(at now: MonotonicInstant) -> MonotonicInstant? {
        guard let check = mtuDeadline(at: now).map({ max($0, now) }), let known = deadline,
            check < known
        else {
            return nil
        }
        deadline = check
        return check
    }

    /// Something of the peer came through the region.
    @inline(__always)
    mutating func noteRelay(_ region: Int) {
        if lastRelayRegion != region { lastRelayRegion = region }
        if isHomeGone, region == configuration.homeRelay { isHomeGone = false }
    }

    /// The first packet since the peer was last heard: silence is judged from here on.
    private mutating func noteUnanswered(at now: MonotonicInstant) -> MonotonicInstant? {
        activity.firstUnansweredAt = now
        guard selection.endpoint != nil, selection.verification == nil, let doubt = doubtDeadline,
            let known = deadline, doubt < known
        else { return nil }
        deadline = doubt
        return doubt
    }

    /// Authentic data came. Returns false when that was not on the selected path, or by relay while
    /// there is none, and needs a closer look.
    @inline(__always)
    mutating func noteReceived(from source: PacketSource, at now: MonotonicInstant) -> Bool {
        activity.lastReceivedAt = now
        switch source {
        case .direct(let endpoint):
            guard endpoint == selection.endpoint else { return false }
            if selection.calm > 1, now - activity.firstUnansweredAt < selection.patience {
                selection.calm = 1
            }
            activity.lastProofAt = now
            activity.lastDirectDataAt = now
            selection.noteData(at: now)
            return true
        case .relay(let region, _):
            noteRelay(region)
            return !isTrusted(at: now)
        }
    }
}
