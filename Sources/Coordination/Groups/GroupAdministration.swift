import ControlMessages
package import NetTypes

extension Coordinator {
    package func createGroup(
        name: String, at now: Timestamp
    ) throws(AdministrationRefusal) -> Decision<GroupRecord> {
        guard Self.isUserName(name) else { throw .invalidGroupName(name) }
        guard state.groups[name] == nil else { throw .groupExists(name) }
        let group = GroupRecord(name: name, created: now)
        return Decision(group, changes: [.group(group)])
    }

    package func deleteGroup(name: String) throws(AdministrationRefusal) -> Decision<GroupRecord> {
        Decision(try group(named: name), changes: [.groupRemoved(name)])
    }

    /// Puts a user into a group. Nothing changes for who is in it.
    package func addToGroup(
        name: String, user userName: String
    ) throws(AdministrationRefusal) -> Decision<GroupRecord> {
        var group = try group(named: name)
        let user = try user(named: userName)
        guard !group.members.contains(user.id) else { return Decision(group) }
        group.members.append(user.id)
        return Decision(group, changes: [.group(group)])
    }

    package func removeFromGroup(
        name: String, user userName: String
    ) throws(AdministrationRefusal) -> Decision<GroupRecord> {
        var group = try group(named: name)
        let user = try user(named: userName)
        guard group.members.contains(user.id) else { throw .notInGroup(userName, group: name) }
        group.members.removeAll { $0 == user.id }
        return Decision(group, changes: [.group(group)])
    }

    private func group(named name: String) throws(AdministrationRefusal) -> GroupRecord {
        guard let group = state.groups[name] else { throw .unknownGroup(name) }
        return group
    }
}
