package import NetTypes

/// A user as `RegisterResponse` names it (control protocol §6.1).
package struct User: Equatable, Sendable {
    package var id: UserID
    package var displayName: String
    package var profilePictureURL: String
    package var created: Timestamp

    package init(
        id: UserID = UserID(0), displayName: String = "", profilePictureURL: String = "",
        created: Timestamp = .zero
    ) {
        self.id = id
        self.displayName = displayName
        self.profilePictureURL = profilePictureURL
        self.created = created
    }
}

extension User: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        id = try object.read("ID", or: UserID(0))
        displayName = try object.read("DisplayName", or: "")
        profilePictureURL = try object.read("ProfilePicURL", or: "")
        created = try object.read("Created", or: .zero)
    }
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("ID", id)
            writer.keep("DisplayName", displayName)
            writer.omit("ProfilePicURL", profilePictureURL)
            writer.omit("Created", created)
        }
    }
}

/// The account with which a user logged in.
package struct Login: Equatable, Sendable {
    package var id: UserID
    package var provider: String
    package var loginName: String
    package var displayName: String
    package var profilePictureURL: String

    package init(
        id: UserID = UserID(0), provider: String = "", loginName: String = "",
        displayName: String = "", profilePictureURL: String = ""
    ) {
        self.id = id
        self.provider = provider
        self.loginName = loginName
        self.displayName = displayName
        self.profilePictureURL = profilePictureURL
    }
}

extension Login: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        id = try object.read("ID", or: UserID(0))
        provider = try object.read("Provider", or: "")
        loginName = try object.read("LoginName", or: "")
        displayName = try object.read("DisplayName", or: "")
        profilePictureURL = try object.read("ProfilePicURL", or: "")
    }
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("ID", id)
            writer.keep("Provider", provider)
            writer.keep("LoginName", loginName)
            writer.keep("DisplayName", displayName)
            writer.omit("ProfilePicURL", profilePictureURL)
        }
    }
}

/// A user as maps name it.
package struct UserProfile: Equatable, Sendable {
    package var id: UserID
    package var loginName: String
    package var displayName: String
    package var profilePictureURL: String
    package var groups: [String]

    package init(
        id: UserID, loginName: String, displayName: String, profilePictureURL: String = "",
        groups: [String] = []
    ) {
        self.id = id
        self.loginName = loginName
        self.displayName = displayName
        self.profilePictureURL = profilePictureURL
        self.groups = groups
    }
}

extension UserProfile: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        id = try object.read("ID", or: UserID(0))
        loginName = try object.read("LoginName", or: "")
        displayName = try object.read("DisplayName", or: "")
        profilePictureURL = try object.read("ProfilePicURL", or: "")
        groups = try object.read("Groups", or: [])
    }
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("ID", id)
            writer.keep("LoginName", loginName)
            writer.keep("DisplayName", displayName)
            writer.omit("ProfilePicURL", profilePictureURL)
            writer.omit("Groups", groups)
        }
    }
}
