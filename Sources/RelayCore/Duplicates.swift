internal import DERP
internal import NetTypes

// A key with several connections: a node that moved and whose old connection has not ended yet, or
// two machines that use the same state. Only the latter has an old connection that still answers.
extension RelayCore {
    /// A newer connection of the client has come: whether the others live is asked after a while.
    mutating func doubtConnections(of client: Int, at now: MonotonicInstant) {
        for id in clients[client].connections {
            connections[Int(id.index)].questionAt = now + configuration.duplicateGrace
            nextDeadline = earliest(nextDeadline, now + configuration.duplicateGrace)
        }
    }

    /// The time to ask has come.
    mutating func question(_ id: ConnectionID) {
        guard let newest = clients[connections[Int(id.index)].client].connections.last, newest != id
        else { return }
        connections[Int(id.index)].isQuestioned = true
        send(.ping(UInt64(id.generation)), to: id)
    }

    /// An answer to a ping of ours came.
    mutating func handleAnswer(from id: ConnectionID) {
        guard connections[Int(id.index)].isQuestioned else { return }
        let client = connections[Int(id.index)].client
        connections[Int(id.index)].isQuestioned = false
        guard let newest = clients[client].connections.last, newest != id else { return }
        warnOfDuplicates(client)
    }

    /// Every connection of a key that has several is told so, and told when that is over.
    mutating func warnOfDuplicates(_ client: Int) {
        let all = clients[client].connections
        clients[client].isWarned = all.count > 1
        let text =
            all.count > 1
            ? "this node key has \(all.count) connections to the relay; "
                + "is its state in use on two machines?" : ""
        for id in all { send(.health(text), to: id) }
    }
}
