import ControlMessages
import Coordination
import NetTypes

/// Calls about groups and about the audit log's end.
extension AdminCall {
    func group(_ arguments: [String], _ coordinator: inout Coordinator) throws -> Result {
        let decision: Decision<GroupRecord>
        switch (request.method, arguments.count) {
        case ("GET", 0):
            let groups = coordinator.state.groups.values.sorted { $0.name < $1.name }
            return list("groups", groups.map { view($0, coordinator) })
        case ("POST", 0):
            decision = try coordinator.createGroup(name: try text("name"), at: now.wall)
        case ("DELETE", 1): decision = try coordinator.deleteGroup(name: arguments[0])
        case ("POST", 3) where arguments[1] == "member":
            decision = try coordinator.addToGroup(name: arguments[0], user: arguments[2])
        case ("DELETE", 3) where arguments[1] == "member":
            decision = try coordinator.removeFromGroup(name: arguments[0], user: arguments[2])
        default: throw wrongMethod
        }
        return reply(decision, single("group", view(decision.reply, coordinator)))
    }

    private func view(_ group: GroupRecord, _ coordinator: borrowing Coordinator) -> JSON {
        let names = group.members.compactMap { coordinator.state.users[$0]?.name }
        return AdminView.group(group, members: names)
    }

    private static var leastAge: Nanoseconds { .minutes(7 * 24 * 60) }

    /// Who has a shell here can remove the whole database; this way it is done in order, and says so.
    func pruneAudit(_ arguments: [String]) throws -> Result {
        guard (request.method, arguments) == ("POST", ["prune"]) else { throw wrongMethod }
        guard let time = try request.body.optional("before", as: Timestamp.self) else {
            throw Failure(status: 400, text: "the request needs 'before'")
        }
        guard now.wall - time >= Self.leastAge else { throw AdministrationRefusal.tooYoung }
        return reply(
            Decision((), changes: [.auditPruned(time)]),
            single("before", .string(time.description)))
    }
}
