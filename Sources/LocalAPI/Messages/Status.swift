package import ControlMessages
package import NetTypes

/// The answer of `status`: all that is known about this node and, where asked for, its peers. The
/// JSON has the member names of Tailscale's.
package struct Status: Equatable, Sendable {
    package var version = ""
    /// Whether there is a TUN interface.
    package var hasTUN = true
    package var backendState = BackendState.noState
    package var haveNodeKey = false
    /// The page on which to log in, while one waits; else empty.
    package var authURL = ""
    package var addresses: [IPAddress] = []
    package var own = PeerStatus()
    /// What keeps the node from working well, each one line for a person.
    package var health: [String] = []
    /// The domain of the network's names, without dots at its ends.
    package var magicDNSSuffix = ""
    package var tailnet: TailnetStatus?
    package var certDomains: [String] = []
    package var peers: [NodeKey: PeerStatus] = [:]
    package var users: [UserID: UserProfile] = [:]

    package init() {}
}

package struct TailnetStatus: Equatable, Sendable {
    package var name: String
    package var magicDNSSuffix: String
    package var magicDNSEnabled: Bool

    package init(name: String, magicDNSSuffix: String, magicDNSEnabled: Bool) {
        self.name = name
        self.magicDNSSuffix = magicDNSSuffix
        self.magicDNSEnabled = magicDNSEnabled
    }
}

extension Status: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        version = try object.read("Version", or: "")
        hasTUN = try object.read("TUN", or: false)
        backendState = BackendState(name: try object.read("BackendState", or: "")) ?? .noState
        haveNodeKey = try object.read("HaveNodeKey", or: false)
        authURL = try object.read("AuthURL", or: "")
        addresses = try object.read("TailscaleIPs", or: [])
        own = try object.optional("Self") ?? PeerStatus()
        health = try object.read("Health", or: [])
        magicDNSSuffix = try object.read("MagicDNSSuffix", or: "")
        tailnet = try object.optional("CurrentTailnet")
        certDomains = try object.read("CertDomains", or: [])
        for member in try object.read("Peer", or: JSONObject()).members {
            guard let key = NodeKey(member.name) else {
                throw MessageDecodingError(
                    path: "Peer." + member.name, .unreadable(expected: "a node key"))
            }
            peers[key] = try PeerStatus(json: member.value)
        }
        for member in try object.read("User", or: JSONObject()).members {
            guard let id = Int64(member.name) else {
                throw MessageDecodingError(
                    path: "User." + member.name, .unreadable(expected: "a user number"))
            }
            users[UserID(id)] = try UserProfile(json: member.value)
        }
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("Version", version)
            writer.keep("TUN", hasTUN)
            writer.keep("BackendState", backendState.name)
            writer.keep("HaveNodeKey", haveNodeKey)
            writer.keep("AuthURL", authURL)
            writer.keep("TailscaleIPs", addresses)
            writer.keep("Self", own)
            writer.keep("Health", health)
            writer.keep("MagicDNSSuffix", magicDNSSuffix)
            writer.keep("CurrentTailnet", tailnet)
            writer.keep("CertDomains", certDomains)
            writer.key("Peer")
            writer.object { writer in
                for (key, peer) in peers.sorted(by: { $0.key < $1.key }) {
                    writer.keep(key.description, peer)
                }
            }
            writer.key("User")
            writer.object { writer in
                for (id, user) in users.sorted(by: { $0.key < $1.key }) {
                    writer.keep(id.description, user)
                }
            }
        }
    }
}

extension TailnetStatus: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        name = try object.read("Name", or: "")
        magicDNSSuffix = try object.read("MagicDNSSuffix", or: "")
        magicDNSEnabled = try object.read("MagicDNSEnabled", or: false)
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("Name", name)
            writer.keep("MagicDNSSuffix", magicDNSSuffix)
            writer.keep("MagicDNSEnabled", magicDNSEnabled)
        }
    }
}
