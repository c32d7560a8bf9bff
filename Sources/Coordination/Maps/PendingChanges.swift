package import ControlMessages

/// What a map session has not been told yet. It grows with the number of nodes that changed, not
/// with the number of changes: a slow client misses intermediate states, never the last one.
package struct PendingChanges: Equatable, Sendable {
    package private(set) var peers: [NodeID: NodeAspects] = [:]
    package private(set) var removed: Set<NodeID> = []
    package private(set) var users: Set<UserID> = []
    package private(set) var isSelfChanged = false
    /// The session's own node was expired and is not any more.
    package private(set) var isSelfRevived = false
    /// Who relays for whom is not what it was. What a node is told of it concerns that node alone.
    package private(set) var areRelayRulesChanged = false
    /// Set when the session's own node was removed: say farewell and end.
    package private(set) var ownRemoval: NodeRecord?

    package init() {}

    package var isEmpty: Bool { self == Self() }

    /// Notes an event for the session of `viewer`.
    package mutating func note(_ event: CoordinationEvent, viewer: NodeID) {
        switch event {
        case .nodeChanged(viewer, let aspects):
            // A node knows its own endpoints and the like: it told them.
            if !aspects.isDisjoint(with: [.own]) { isSelfChanged = true }
            if aspects.contains(.revived) { isSelfRevived = true }
        case .nodeChanged(let id, let aspects):
            let visible = aspects.subtracting([.own, .revived])
            if !visible.isEmpty { peers[id, default: []].formUnion(visible) }
        case .nodeRemoved(let record):
            if record.id == viewer { ownRemoval = record }
            peers[record.id] = nil
            // Of one that was never approved nobody was told.
            if !record.awaitsApproval { removed.insert(record.id) }
        case .userChanged(let id): users.insert(id)
        case .relayRulesChanged: areRelayRulesChanged = true
        case .loginSettled: break
        }
    }
}
