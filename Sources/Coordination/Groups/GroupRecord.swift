package import ControlMessages
package import NetTypes

/// Users under one name, put together here; a policy says `group:NAME`. What providers tell of groups
/// is kept with each user.
package struct GroupRecord: Equatable, Sendable {
    package var name: String
    /// In the order in which they came.
    package var members: [UserID]
    package var created: Timestamp

    package init(name: String, members: [UserID] = [], created: Timestamp) {
        self.name = name
        self.members = members
        self.created = created
    }
}

extension GroupRecord: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        self.init(
            name: try object.read("name", or: ""), members: try object.read("members", or: []),
            created: try object.read("created", or: .zero))
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("name", name)
            writer.omit("members", members)
            writer.keep("created", created)
        }
    }
}

extension CoordinationState {
    /// All groups of a user: those that a provider tells of and those set here, sorted.
    package func groups(of user: UserRecord) -> [String] {
        let local = groups.values.filter { $0.members.contains(user.id) }.map(\.name)
        return Set(user.groups + local).sorted()
    }

    /// Who is in a group, however they came into it. `name` may begin with `group:`, as in a policy.
    package func members(ofGroup name: String) -> [UserRecord] {
        let name = name.hasPrefix("group:") ? String(name.dropFirst(6)) : name
        let local = Set(groups[name]?.members ?? [])
        return sortedUsers.filter { local.contains($0.id) || $0.groups.contains(name) }
    }
}
