package import ControlMessages
package import NetTypes

/// Names a client: the number of its record.
package struct ClientNumber: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var value: Int64
    package init(_ value: Int64) { self.value = value }
    package static func < (left: Self, right: Self) -> Bool { left.value < right.value }
    package var description: String { String(value) }
}

extension ClientNumber: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) { self.init(try Int64(json: json)) }
    package func write(to writer: inout JSONWriter) { value.write(to: &writer) }
    package var isJSONZero: Bool { value == 0 }
}

/// A program that makes pre-auth keys (OAuth 2.0 client, RFC 6749 §2). Of its secret only the hash is
/// kept: it has 256 random bits, so a slow hash would gain nothing.
package struct ClientRecord: Equatable, Sendable {
    /// What a client may do, by the names that the field uses.
    package enum Scope: String, CaseIterable, Sendable {
        /// Makes, sees and revokes keys of its own.
        case authKeys = "auth_keys"
        case authKeysRead = "auth_keys:read"
    }

    package var number: ClientNumber
    /// The client ID, which is no secret.
    package var name: String
    /// SHA-256 of the secret.
    package var secretHash: Bytes32
    /// Who answers for it; machines of keys without tags are theirs.
    package var user: UserID
    /// What it is for, to people.
    package var purpose: String
    package var scopes: [Scope]
    /// What its keys may give machines, of which each then has to give one at least. Empty: its keys
    /// give none, and the machines belong to `user`.
    package var tags: [String]
    package var created: Timestamp
    /// Nil: never.
    package var expiry: Timestamp?
    package var isRevoked = false
    /// When it last got a token, give or take some minutes.
    package var lastUsed: Timestamp?

    package init(
        number: ClientNumber, name: String, secretHash: Bytes32, user: UserID, purpose: String,
        scopes: [Scope], tags: [String], created: Timestamp, expiry: Timestamp?
    ) {
        self.number = number
        self.name = name
        self.secretHash = secretHash
        self.user = user
        self.purpose = purpose
        self.scopes = scopes
        self.tags = tags
        self.created = created
        self.expiry = expiry
    }

    package func isLive(at now: Timestamp) -> Bool {
        !isRevoked && expiry.map { now < $0 } ?? true
    }
}

extension ClientRecord: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        self.init(
            number: try object.read("number", or: ClientNumber(0)),
            name: try object.read("name", or: ""), secretHash: try object.hash("secretHash"),
            user: try object.read("user", or: UserID(0)),
            purpose: try object.read("purpose", or: ""),
            // A scope that this version does not know is no right at all.
            scopes: try object.read("scopes", or: [String]()).compactMap { Scope(rawValue: $0) },
            tags: try object.read("tags", or: []), created: try object.read("created", or: .zero),
            expiry: try object.optional("expiry"))
        isRevoked = try object.read("revoked", or: false)
        lastUsed = try object.optional("lastUsed")
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("number", number)
            writer.keep("name", name)
            writer.keep("secretHash", Hexadecimal.encode(secretHash.array))
            writer.keep("user", user)
            writer.omit("purpose", purpose)
            writer.omit("scopes", scopes.map(\.rawValue))
            writer.omit("tags", tags)
            writer.keep("created", created)
            writer.omit("expiry", expiry)
            writer.omit("revoked", isRevoked)
            writer.omit("lastUsed", lastUsed)
        }
    }
}
