package import ControlMessages
import CryptoPrimitives
package import NetTypes

/// Somebody who owns nodes.
package struct UserRecord: Equatable, Sendable {
    package var id: UserID
    /// Unique, compared as it is.
    package var name: String
    package var displayName: String
    package var created: Timestamp
    package var role = UserRole.member
    /// A suspended user cannot sign in, and nodes of theirs are expired.
    package var isSuspended = false
    /// For people; nothing is decided by it.
    package var email = ""
    /// From the provider, or set here.
    package var groups: [String] = []
    /// Who the user is at providers other than this server. Linked on purpose, never by name or
    /// e-mail address.
    package var identities: [UserIdentity] = []

    package init(id: UserID, name: String, displayName: String = "", created: Timestamp) {
        self.id = id
        self.name = name
        self.displayName = displayName
        self.created = created
    }

    /// What is shown to people.
    package var shownName: String { displayName.isEmpty ? name : displayName }
}

package struct PreAuthKeyID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var value: Int64
    package init(_ value: Int64) { self.value = value }
    package static func < (left: Self, right: Self) -> Bool { left.value < right.value }
    package var description: String { String(value) }
}

/// A secret that lets whoever knows it register nodes. Only its hash is kept: it has 256 random
/// bits, so a slow hash would gain nothing.
package struct PreAuthKeyRecord: Equatable, Sendable {
    package var id: PreAuthKeyID
    /// The start of the text, which tells keys apart without giving them away.
    package var prefix: String
    /// SHA-256 of the text.
    package var hash: Bytes32
    /// The owner of the nodes; for a key with tags, who made it.
    package var user: UserID
    package var isReusable: Bool
    /// Nodes registered with it are removed when they go away.
    package var isEphemeral: Bool
    /// Nodes registered with it get these, and then belong to no user.
    package var tags: [String]
    package var created: Timestamp
    /// Nil: never.
    package var expiry: Timestamp?
    package var isRevoked: Bool
    /// When a single-use key was used.
    package var used: Timestamp?
    /// Whether its nodes need no approval, where that is asked for.
    package var isPreApproved = false
    /// The client that made it; nil when a person did.
    package var client: ClientNumber?

    package init(
        id: PreAuthKeyID, prefix: String, hash: Bytes32, user: UserID, created: Timestamp
    ) {
        self.id = id
        self.prefix = prefix
        self.hash = hash
        self.user = user
        isReusable = false
        isEphemeral = false
        tags = []
        self.created = created
        expiry = nil
        isRevoked = false
        used = nil
    }

    /// Whether it lets in another node.
    package func isUsable(at now: Timestamp) -> Bool {
        !isRevoked && (isReusable || used == nil) && (expiry.map { now < $0 } ?? true)
    }

    package static func hash(of text: String) -> Bytes32 {
        let bytes = Array(text.utf8)
        return unsafe SHA256.hash(bytes.span.bytes)
    }
}

/// How a node came into the network.
package enum RegistrationMethod: String, Sendable {
    case preAuthKey = "pre-auth-key"
    case approval
    /// The owner signed in at the server's pages and said yes.
    case signIn = "sign-in"
    case machineCertificate = "machine-certificate"
}

/// A node as the server knows it. What changes while it is connected (online or not) is kept apart.
package struct NodeRecord: Equatable, Sendable {
    package var id: NodeID
    package var machineKey: MachineKey
    package var nodeKey: NodeKey
    /// Zero until the node told it.
    package var discoKey: DiscoKey = .zero
    /// The owner; nil for a node with tags.
    package var user: UserID?
    package var tags: [String] = []
    /// The first label of its DNS name, unique.
    package var name: String
    /// Whether a person chose `name`: otherwise it follows the machine's host name.
    package var isNameChosen = false
    package var ipv4: IPv4Address?
    package var ipv6: IPv6Address?
    package var created: Timestamp
    /// Nil: never.
    package var expiry: Timestamp?
    package var hostinfo = Hostinfo()
    package var endpoints: [Endpoint] = []
    /// The region of its home relay; 0 when unknown.
    package var homeDERP = 0
    package var capabilityVersion = 0
    package var isEphemeral = false
    /// Until somebody has approved it, it sees nobody and nobody sees it.
    package var awaitsApproval = false
    package var registration: RegistrationMethod
    package var preAuthKey: PreAuthKeyID?
    /// For whom it may relay UDP: `*` for everybody, names of users, tags. Empty: for nobody.
    package var relaysFor: [String] = []
    /// What it proved itself with when it brought in its node key; nil when it did not.
    package var certificate: MachineCertificate?
    /// When its last connection ended; nil when it never had one.
    package var lastSeen: Timestamp?

    package init(
        id: NodeID, machineKey: MachineKey, nodeKey: NodeKey, name: String, created: Timestamp,
        registration: RegistrationMethod
    ) {
        self.id = id
        self.machineKey = machineKey
        self.nodeKey = nodeKey
        self.name = name
        self.created = created
        self.registration = registration
    }

    package var isTagged: Bool { !tags.isEmpty }

    package func isExpired(at now: Timestamp) -> Bool { expiry.map { $0 <= now } ?? false }

    /// Whether it takes part in the network: approved, with a key that is good.
    package func isAdmitted(at now: Timestamp) -> Bool { !awaitsApproval && !isExpired(at: now) }

    /// Its own addresses as prefixes of full length.
    package var addresses: [IPPrefix] {
        [ipv4.map { IPAddress.v4($0) }, ipv6.map { IPAddress.v6($0) }]
            .compactMap { $0.map { IPPrefix(host: $0) } }
    }
}
