import NetTypes

// What datagram sizes pass the selected path.
extension Peer {
    /// Probes of sizes that are due: the search for what passes, and the check that what has been
    /// sent still does.
    mutating func serviceMTU(at now: MonotonicInstant, into actions: inout [PeerAction]) {
        guard let endpoint = selection.endpoint, isTrusted(at: now),
            var mtu = candidates[endpoint]?.mtu
        else { return }
        mtu.search(to: datagramMax, at: now)
        var size: Int?
        if let probe = mtu.probe {
            guard let due = sizeLossDeadline, due <= now else { return }
            // Data that comes in says nothing about what goes out.
            guard selection.lastPongAt > probe.sentAt else {
                if probe.byteCount <= mtu.passes { mtu.doubt() }
                keep(mtu, of: endpoint)
                return selection.beginVerification(at: now)
            }
            mtu.noteLoss(ceiling: datagramMax, at: now)
            size = mtu.probe?.byteCount
        } else if let due = selection.large.checkAt, due <= now {
            if activity.firstUnansweredAt > activity.lastProofAt,
                now - activity.firstUnansweredAt >= selection.patience / 2
            {
                // One ping asks both questions.
                return selection.beginVerification(at: now, origin: activity.firstUnansweredAt)
            }
            size = min(selection.large.byteCount, mtu.passes)
        }
        if size == nil, mtu.probe == nil, let due = mtu.searchAt, due <= now {
            mtu.raise()
            size = mtu.nextSize(to: datagramMax)
        }
        if let size { probeSize(size, &mtu, endpoint, at: now, into: &actions) }
        keep(mtu, of: endpoint)
    }

    private mutating func probeSize(
        _ size: Int, _ mtu: inout PathMTU, _ endpoint: Endpoint, at now: MonotonicInstant,
        into actions: inout [PeerAction]
    ) {
        mtu.noteProbe(size, at: now)
        if size <= mtu.passes { selection.large.noteCheck(at: now) }
        candidates.update(endpoint) { $0.quality.notePing() }
        actions.append(.ping(endpoint, byteCount: size))
    }

    /// A padded ping goes out to verify the selected path.
    mutating func noteSizedPing(
        _ byteCount: Int, to endpoint: Endpoint, isCopying: Bool, at now: MonotonicInstant
    ) {
        guard var mtu = candidates[endpoint]?.mtu, mtu.probe == nil else { return }
        mtu.noteProbe(byteCount, at: now)
        // A small ping may be answered first: that does not end the doubt about large ones.
        if isCopying { mtu.doubt() }
        selection.large.noteCheck(at: now)
        keep(mtu, of: endpoint)
    }

    /// A ping of `byteCount` to `endpoint` was answered.
    mutating func noteSizeAnswer(
        _ byteCount: Int, from endpoint: Endpoint, at now: MonotonicInstant
    ) {
        guard byteCount > PathTiming.plainPingByteCount, var mtu = candidates[endpoint]?.mtu else {
            return
        }
        mtu.noteAnswer(byteCount, ceiling: datagramMax, at: now)
        keep(mtu, of: endpoint)
    }

    private mutating func keep(_ mtu: PathMTU, of endpoint: Endpoint) {
        candidates.update(endpoint) { $0.mtu = mtu }
        if endpoint == selection.endpoint { selection.adopt(mtu) }
    }

    /// When the probe that is under way counts as lost. While the path as a whole is in doubt that
    /// comes first.
    private var sizeLossDeadline: MonotonicInstant? {
        guard let endpoint = selection.endpoint, let probe = candidates[endpoint]?.mtu.probe,
            selection.verification == nil
        else { return nil }
        return probe.sentAt + selection.patience
    }

    func mtuDeadline(at now: MonotonicInstant) -> MonotonicInstant? {
        guard let endpoint = selection.endpoint, isTrusted(at: now),
            let mtu = candidates[endpoint]?.mtu
        else { return nil }
        if mtu.probe != nil { return sizeLossDeadline }
        return earliest(mtu.searchAt, selection.large.checkAt)
    }
}
