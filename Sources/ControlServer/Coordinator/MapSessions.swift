import ControlMessages
import Coordination
import NetTypes

struct MapSessionID: Hashable, Sendable {
    var value: UInt64
}

/// What the owner knows of an open map stream.
struct MapSessionState {
    var node: NodeID
    var pending = PendingChanges()
    /// Why the stream ends without being asked; nil while it goes on.
    var isEnded = false
    /// Wakes the stream's task: there is something to send, or to end.
    var wake: AsyncStream<Void>.Continuation
}

/// A map stream that was opened.
struct OpenedMapSession: Sendable {
    var id: MapSessionID
    var wakeups: AsyncStream<Void>
    /// For the timer of keep-alives.
    var wake: AsyncStream<Void>.Continuation
    var map: MapResponse
}

enum MapSessionStep: Sendable {
    case nothing
    case send(SharedMessage)
    /// The stream ends, after a last message if there is one.
    case end(MapResponse?)
}

extension CoordinationOwner {
    /// Takes in what a map request tells.
    func update(
        _ request: MapRequest, from connection: MachineConnection
    ) async throws -> NodeID {
        try await perform { coordinator, _, _ in
            try coordinator.update(
                request, from: connection.machineKey,
                capabilityVersion: connection.capabilityVersion)
        }
    }

    /// The whole map, once.
    func map(for node: NodeID) -> MapResponse? { coordinator.map(for: node, at: clock.now) }

    /// Opens a map stream, which takes the place of any older one of its node.
    func openSession(
        _ request: MapRequest, from connection: MachineConnection
    ) async throws -> OpenedMapSession {
        let node = try await update(request, from: connection)
        lastDelta = nil
        announce(coordinator.sessionBegan(of: node))
        for id in sessionsByNode[node] ?? [] { endSession(id) }
        guard let map = coordinator.map(for: node, at: clock.now) else {
            throw MapRefusal.unknownNode
        }
        let id = MapSessionID(value: nextSession)
        nextSession += 1
        let (wakeups, wake) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        sessions[id] = MapSessionState(node: node, wake: wake)
        sessionsByNode[node, default: []].append(id)
        return OpenedMapSession(id: id, wakeups: wakeups, wake: wake, map: map)
    }

    /// What a stream has to do now.
    func nextStep(of id: MapSessionID) -> MapSessionStep {
        guard var session = sessions[id], !session.isEnded else { return .end(nil) }
        guard !session.pending.isEmpty else { return .nothing }
        let pending = session.pending
        session.pending = PendingChanges()
        sessions[id] = session
        if let node = pending.ownRemoval {
            return .end(coordinator.farewell(to: node, at: clock.now))
        }
        return message(for: session.node, pending).map { .send($0) } ?? .nothing
    }

    /// What `pending` comes to for a node. Nearly all nodes are told the same of a change, so the
    /// message is made and encoded once for all of them.
    private func message(for id: NodeID, _ pending: PendingChanges) -> SharedMessage? {
        let now = clock.now
        let isExpired = coordinator.state.nodes[id]?.isExpired(at: now.wall) ?? true
        guard !pending.isSelfChanged, !pending.areRelayRulesChanged, pending.peers[id] == nil,
            !isExpired
        else {
            return coordinator.delta(for: id, pending, at: now).map { SharedMessage($0) }
        }
        if let last = lastDelta, last.pending == pending { return last.message }
        let message = coordinator.delta(for: id, pending, at: now).map { SharedMessage($0) }
        lastDelta = (pending, message)
        return message
    }

    /// A stream has ended, for whatever reason.
    func closeSession(_ id: MapSessionID) {
        guard let session = sessions.removeValue(forKey: id) else { return }
        sessionsByNode[session.node]?.removeAll { $0 == id }
        if sessionsByNode[session.node]?.isEmpty == true { sessionsByNode[session.node] = nil }
        coordinator.sessionEnded(of: session.node, at: clock.now)
        lastDelta = nil
        pullAlarm()
    }

    private func endSession(_ id: MapSessionID) {
        sessions[id]?.isEnded = true
        sessions[id]?.wake.yield()
    }

    func endAllSessions() {
        for id in sessions.keys { endSession(id) }
    }

    func noteInSessions(_ events: [CoordinationEvent]) {
        for id in sessions.keys {
            guard var session = sessions.removeValue(forKey: id) else { continue }
            for event in events { session.pending.note(event, viewer: session.node) }
            if !session.pending.isEmpty { session.wake.yield() }
            sessions[id] = session
        }
    }
}
