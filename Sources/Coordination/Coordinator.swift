package import ControlMessages
package import NetTypes

/// The coordination server's mind: who is in the network, who may join it, what each node is told.
///
/// Decisions and their effects are apart. `register`, `update`, `decide…` look at the state and
/// return changes; the owner stores them, and `apply` makes them count. The owner applies the
/// changes of one decision before it asks for the next; replies and events go out only once the
/// changes are stored, so that nothing that was acknowledged can be lost. Should storing fail,
/// `replaceState` goes back to what is stored.
///
/// Not stored, and gone after a restart: who is connected, and logins that wait for approval.
package struct Coordinator: ~Copyable {
    package private(set) var state: CoordinationState
    package let settings: CoordinationSettings
    var pendingLogins: PendingLogins
    var presence: PresenceTable
    /// Nodes whose expiry was told to their peers.
    var announcedExpiries: Set<NodeID> = []
    /// What was logged last of machines whose certificates were refused.
    var certificateRefusals = CertificateRefusals()
    /// No later than the next expiry; nil when no node expires.
    var nextExpiry: Timestamp?
    /// The wall clock when expiries were last looked at. An earlier reading means that the clock
    /// was set back, and that some of what was announced is not so any more.
    private var expiriesJudgedAt: Timestamp?

    package init(state: CoordinationState, settings: CoordinationSettings, at now: Moment) {
        self.state = state
        self.settings = settings
        pendingLogins = PendingLogins(
            capacity: settings.pendingLoginCapacity, lifetime: settings.pendingLoginLifetime)
        presence = PresenceTable()
        restartTimers(at: now)
    }

    /// Goes back to what is stored after a failure to store. Every map session has to begin anew.
    package mutating func replaceState(_ state: CoordinationState, at now: Moment) {
        self.state = state
        presence = PresenceTable()
        restartTimers(at: now)
    }

    private mutating func restartTimers(at now: Moment) {
        announcedExpiries = []
        expiriesJudgedAt = nil
        nextExpiry = state.nodes.values.compactMap(\.expiry).min()
        for node in state.nodes.values where node.isEphemeral {
            presence.scheduleRemoval(of: node.id, at: now.monotonic + settings.ephemeralTimeout)
        }
    }

    // MARK: Applying

    /// Makes changes count. The events say what map sessions and waiting logins should know.
    package mutating func apply(_ changes: [Change], at now: Moment) -> [CoordinationEvent] {
        var events: [CoordinationEvent] = []
        for change in changes {
            switch change {
            case .node(let record): events += applyNode(record, at: now)
            case .nodeRemoved(let id):
                guard let old = state.nodes[id] else { continue }
                state.apply(change)
                presence.remove(id)
                announcedExpiries.remove(id)
                events.append(.nodeRemoved(old))
                if changesRelayRules(from: old, to: nil) { events.append(.relayRulesChanged) }
            case .user(let record):
                let old = state.users[record.id]
                state.apply(change)
                if let old, old != record { events.append(.userChanged(record.id)) }
            case .userRemoved, .preAuthKey, .preAuthKeyRemoved, .client, .clientRemoved, .account,
                .accountRemoved,
                .session, .sessionRemoved, .group, .groupRemoved, .audit, .auditPruned:
                state.apply(change)
            }
        }
        return events
    }

    private mutating func applyNode(
        _ record: NodeRecord, at now: Moment
    ) -> [CoordinationEvent] {
        let old = state.nodes[record.id]
        state.apply(.node(record))
        if let expiry = record.expiry {
            if expiry > now.wall { announcedExpiries.remove(record.id) }
            nextExpiry = nextExpiry.map { min($0, expiry) } ?? expiry
        } else {
            announcedExpiries.remove(record.id)
        }
        if record.isEphemeral, old?.isEphemeral != true {
            presence.scheduleRemoval(
                of: record.id, at: now.monotonic + settings.ephemeralTimeout)
        }
        var events: [CoordinationEvent] = []
        let aspects = NodeAspects(from: old, to: record, at: now.wall)
        if !aspects.isEmpty { events.append(.nodeChanged(record.id, aspects)) }
        if changesRelayRules(from: old, to: record) { events.append(.relayRulesChanged) }
        let settled = pendingLogins.all.filter {
            $0.machineKey == record.machineKey && $0.nodeKey == record.nodeKey
        }
        for login in settled {
            pendingLogins.remove(login.id)
            events.append(.loginSettled(login.id))
        }
        return events
    }

    // MARK: Time

    /// When `handleTimeout` has something to do. `now` relates the two clocks.
    package func nextDeadline(at now: Moment) -> MonotonicInstant? {
        if isClockSetBack(now.wall) { return now.monotonic }
        let expiry = nextExpiry.map { expiry in
            expiry <= now.wall ? now.monotonic : now.monotonic + (expiry - now.wall)
        }
        return earliest(earliest(presence.nextDeadline, pendingLogins.nextDeadline), expiry)
    }

    /// Does what is due: nodes that stayed away are offline, ephemeral ones are removed, keys and
    /// waiting logins expire. The reply holds the events that need no storing.
    package mutating func handleTimeout(at now: Moment) -> Decision<[CoordinationEvent]> {
        var decision = Decision<[CoordinationEvent]>([])
        for id in pendingLogins.expire(at: now.monotonic) {
            decision.reply.append(.loginSettled(id))
        }
        for id in presence.expireGrace(at: now.monotonic) {
            guard var node = state.nodes[id] else { continue }
            // The new time makes the change visible to peers once it is stored.
            node.lastSeen = max(now.wall, (node.lastSeen ?? .zero) + Nanoseconds(count: 1))
            decision.changes.append(.node(node))
            if node.isEphemeral {
                presence.scheduleRemoval(of: id, at: now.monotonic + settings.ephemeralTimeout)
            }
        }
        for id in presence.expireRemovals(at: now.monotonic)
        where state.nodes[id]?.isEphemeral == true {
            decision.changes.append(.nodeRemoved(id))
        }
        decision.reply += expireKeys(at: now.wall)
        return decision
    }

    private func isClockSetBack(_ now: Timestamp) -> Bool {
        expiriesJudgedAt.map { now < $0 } ?? false
    }

    private mutating func expireKeys(at now: Timestamp) -> [CoordinationEvent] {
        var events: [CoordinationEvent] = []
        if isClockSetBack(now) {
            let restored = announcedExpiries.filter { id in
                state.nodes[id].map { !$0.isExpired(at: now) } ?? false
            }
            announcedExpiries.subtract(restored)
            events = restored.sorted().map { .nodeChanged($0, [.whole, .own, .revived]) }
            nextExpiry = state.nodes.values.compactMap(\.expiry).min()
            expiriesJudgedAt = now
        }
        guard let due = nextExpiry, due <= now else { return events }
        expiriesJudgedAt = now
        nextExpiry = nil
        for node in state.sortedNodes {
            guard let expiry = node.expiry else { continue }
            if expiry > now {
                nextExpiry = nextExpiry.map { min($0, expiry) } ?? expiry
            } else if announcedExpiries.insert(node.id).inserted {
                events.append(.nodeChanged(node.id, .whole))
            }
        }
        return events
    }

    // MARK: Presence

    /// A map session of the node began. At most one should live: end an older one after this.
    package mutating func sessionBegan(of id: NodeID) -> [CoordinationEvent] {
        guard state.nodes[id] != nil else { return [] }
        return presence.sessionBegan(id) ? [.nodeChanged(id, .online)] : []
    }

    /// A map session of the node ended. It counts as offline when no other begins in time.
    package mutating func sessionEnded(of id: NodeID, at now: Moment) {
        guard state.nodes[id] != nil else { return }
        presence.sessionEnded(id, graceEnds: now.monotonic + settings.offlineGrace)
    }

    package func isOnline(_ id: NodeID) -> Bool { presence.isOnline(id) }
}

/// Something that others should know, in the order in which it happened.
package enum CoordinationEvent: Equatable, Sendable {
    /// A node is new or changed: tell its peers, and itself where it matters.
    case nodeChanged(NodeID, NodeAspects)
    /// The node as it was.
    case nodeRemoved(NodeRecord)
    case userChanged(UserID)
    /// Who may relay UDP for whom: every node's part in that is to be told anew.
    case relayRulesChanged
    /// Whoever waits for this login should ask `register` again.
    case loginSettled(PendingLoginID)
}
