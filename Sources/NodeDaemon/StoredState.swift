import ControlMessages
import CryptoPrimitives
import LinuxIO
import LocalAPI
import NetReport
import NetTypes
import PortMapping
import PortMappingMessages

/// What a node keeps across restarts: its keys and what its user chose.
struct StoredState: Sendable {
    /// Identifies this device to coordination servers.
    var machineKey: PrivateKey<MachineKind>
    /// The WireGuard key; nil until the first login.
    var nodeKey: PrivateKey<NodeKind>?
    /// A key that the server is being asked to let in and may have let in already.
    var nextNodeKey: PrivateKey<NodeKind>?
    /// Seals path-finding messages. Kept, although it need not be: peers know it, so a node that
    /// restarts while the server is down still finds its direct paths.
    var discoKey: PrivateKey<DiscoKind>
    /// 64 random hexadecimal digits that servers want to see.
    var backendLogID: String
    /// The server accepted `nodeKey`.
    var isRegistered = false
    var loginName = ""
    var prefs = Prefs()
    /// For gateways, so that they give the same port again.
    var portMapping: PortMappingMemory
    /// Peers that were met through hard NATs, the latest first: the search for them begins sooner.
    private(set) var hardNATPeers: [NodeKey] = []

    /// Of the NATs of networks that this node was in, the newest last.
    var networks: [StoredLifetime] = []

    static var hardNATPeersMax: Int { 64 }

    mutating func noteHardNATPassed(_ peer: NodeKey) {
        hardNATPeers.removeAll { $0 == peer }
        hardNATPeers.insert(peer, at: 0)
        hardNATPeers = Array(hardNATPeers.prefix(Self.hardNATPeersMax))
    }

    /// A machine that has not been seen before.
    init() {
        machineKey = PrivateKey()
        discoKey = PrivateKey()
        var random = SecureRandom()
        backendLogID = Hexadecimal.encode(random.bytes(count: 32))
        portMapping = PortMappingMemory(externalPort: 0, nonce: PCPNonce(using: &random))
    }
}

extension StoredState: JSONReadable, JSONWritable {
    init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        guard try object.read("Version", or: 0) == 1 else {
            throw MessageDecodingError(path: "Version", .unreadable(expected: "1"))
        }
        guard let machineKey: PrivateKey<MachineKind> = try Self.key(object, "MachineKey"),
            let discoKey: PrivateKey<DiscoKind> = try Self.key(object, "DiscoKey")
        else { throw MessageDecodingError(.wrongType(expected: "MachineKey and DiscoKey")) }
        self.machineKey = machineKey
        self.discoKey = discoKey
        nodeKey = try Self.key(object, "NodeKey")
        nextNodeKey = try Self.key(object, "NextNodeKey")
        backendLogID = try object.read("BackendLogID", or: "")
        isRegistered = try object.read("Registered", or: false)
        loginName = try object.read("LoginName", or: "")
        prefs = try object.read("Prefs", or: Prefs())
        let peers: [NodeKey] = try object.read("HardNATPeers", or: [])
        hardNATPeers = Array(peers.prefix(Self.hardNATPeersMax))
        networks = Array(
            try object.read("MappingLifetimes", or: []).suffix(LearnedLifetime.networksMax))
        var random = SecureRandom()
        let nonce: String = try object.read("PortMappingNonce", or: "")
        portMapping = PortMappingMemory(
            externalPort: UInt16(clamping: try object.read("MappedPort", or: 0)),
            nonce: Hexadecimal.decode(nonce).flatMap { PCPNonce($0) } ?? PCPNonce(using: &random))
    }

    private static func key<Kind: KeyKind>(
        _ object: JSONObject, _ name: String
    ) throws(MessageDecodingError) -> PrivateKey<Kind>? {
        guard let text: String = try object.optional(name), !text.isEmpty else { return nil }
        guard let key = PrivateKey<Kind>(text: text) else {
            throw MessageDecodingError(path: name, .unreadable(expected: "a private key"))
        }
        return key
    }

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("Version", 1)
            writer.keep("MachineKey", machineKey.storedText)
            writer.keep("DiscoKey", discoKey.storedText)
            writer.omit("NodeKey", nodeKey?.storedText ?? "")
            writer.omit("NextNodeKey", nextNodeKey?.storedText ?? "")
            writer.keep("BackendLogID", backendLogID)
            writer.omit("Registered", isRegistered)
            writer.omit("LoginName", loginName)
            writer.keep("Prefs", prefs)
            writer.keep("PortMappingNonce", Hexadecimal.encode(portMapping.nonce.bytes))
            writer.omit("MappedPort", Int(portMapping.externalPort))
            writer.omit("HardNATPeers", hardNATPeers)
            writer.omit("MappingLifetimes", networks)
        }
    }
}

/// A problem with the folder of a node's state, in one line for the person who started it.
struct StateError: Error, CustomStringConvertible {
    var description: String
}

/// The files of a node: `skein.state` with its keys, and `netmap.json`, the last network map, so
/// that a node which starts while its server is down still knows its peers.
struct StateFiles: Sendable {
    let folder: String

    private var statePath: String { folder + "/skein.state" }
    private var mapPath: String { folder + "/netmap.json" }

    /// The stored state, or a fresh one that is stored before it is returned. A damaged file is an
    /// error and stays as it is: it holds keys that cannot be made again.
    func load() throws(StateError) -> StoredState {
        guard let bytes = try read(statePath) else {
            let fresh = StoredState()
            try save(fresh)
            return fresh
        }
        do {
            return try StoredState(jsonBytes: bytes)
        } catch {
            throw StateError(
                description:
                    "the state file \(statePath) is damaged (\(error)); it was left as it is: "
                    + "restore it from a backup, or move it away to start as a new machine")
        }
    }

    func save(_ state: StoredState) throws(StateError) { try write(state.jsonBytes, statePath) }

    /// The last network map; nil when there is none. A damaged one costs no more than waiting for the
    /// server, and is replaced by what that sends.
    func loadMap() throws(StateError) -> MapResponse? {
        guard let bytes = try read(mapPath) else { return nil }
        do {
            return try MapResponse(jsonBytes: bytes)
        } catch {
            throw StateError(
                description:
                    "the stored network map \(mapPath) is damaged; waiting for the server's")
        }
    }

    func save(_ map: NetworkMap) throws(StateError) { try write(map.asResponse.jsonBytes, mapPath) }

    func removeMap() throws(StateError) { try write(MapResponse().jsonBytes, mapPath) }

    private func read(_ path: String) throws(StateError) -> [UInt8]? {
        do throws(SystemError) {
            return try AtomicFile.read(path)
        } catch {
            throw StateError(description: "\(error)")
        }
    }

    private func write(_ bytes: [UInt8], _ path: String) throws(StateError) {
        do throws(SystemError) {
            try AtomicFile.write(bytes, to: path)
        } catch {
            throw StateError(description: "\(error)")
        }
    }
}

extension NetworkMap {
    /// One message that makes this map out of an empty one.
    var asResponse: MapResponse {
        var response = MapResponse()
        response.node = selfNode
        response.peers = sortedPeers
        response.derpMap = derpMap
        response.dnsConfig = dnsConfig
        response.domain = domain
        response.packetFilters = ["base": filterRules]
        response.userProfiles = userProfiles.values.sorted { $0.id < $1.id }
        return response
    }
}
