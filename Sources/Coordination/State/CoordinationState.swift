package import ControlMessages
package import NetTypes

/// Everything that is stored: the sum of all changes, with the indices that decisions need.
package struct CoordinationState: Sendable {
    package private(set) var users: [UserID: UserRecord] = [:]
    package private(set) var preAuthKeys: [PreAuthKeyID: PreAuthKeyRecord] = [:]
    package private(set) var clients: [ClientNumber: ClientRecord] = [:]
    package private(set) var nodes: [NodeID: NodeRecord] = [:]
    /// How users prove who they are, of those who do it here.
    package private(set) var accounts: [UserID: AccountRecord] = [:]
    /// By their names.
    package private(set) var groups: [String: GroupRecord] = [:]
    package private(set) var sessions: [SessionID: SessionRecord] = [:]
    /// The highest IDs ever given away: an ID never comes back.
    package private(set) var highest = HighestIDs()

    private var nodeByKey: [NodeKey: NodeID] = [:]
    private var nodesByMachine: [MachineKey: [NodeID]] = [:]
    private var nodeByName: [String: NodeID] = [:]
    private var nodeByIPv4: [IPv4Address: NodeID] = [:]
    private var nodeByIPv6: [IPv6Address: NodeID] = [:]
    private var userByName: [String: UserID] = [:]
    private var userByIdentity: [UserIdentity: UserID] = [:]
    private var sessionsByUser: [UserID: Set<SessionID>] = [:]
    private var preAuthKeyByHash: [Bytes32: PreAuthKeyID] = [:]
    private var preAuthKeysByClient: [ClientNumber: Set<PreAuthKeyID>] = [:]
    private var clientByName: [String: ClientNumber] = [:]
    private var userByPasskey: [[UInt8]: UserID] = [:]
    /// The address given away last; the next one is looked for behind it.
    private(set) var lastIPv4: IPv4Address?

    package struct HighestIDs: Equatable, Sendable {
        package var user: Int64 = 0
        package var preAuthKey: Int64 = 0
        package var node: Int64 = 0
        package var client: Int64 = 0
        package init() {}
    }

    package init(highest: HighestIDs = HighestIDs()) { self.highest = highest }

    // MARK: Looking up

    package func node(key: NodeKey) -> NodeRecord? { nodeByKey[key].flatMap { nodes[$0] } }
    /// Oldest first.
    package func nodes(machine: MachineKey) -> [NodeRecord] {
        (nodesByMachine[machine] ?? []).compactMap { nodes[$0] }
    }
    package func node(name: String) -> NodeRecord? { nodeByName[name].flatMap { nodes[$0] } }
    package func node(address: IPAddress) -> NodeRecord? {
        switch address {
        case .v4(let address): nodeByIPv4[address].flatMap { nodes[$0] }
        case .v6(let address): nodeByIPv6[address].flatMap { nodes[$0] }
        }
    }
    package func user(name: String) -> UserRecord? { userByName[name].flatMap { users[$0] } }
    package func user(identity: UserIdentity) -> UserRecord? {
        userByIdentity[identity].flatMap { users[$0] }
    }
    /// Oldest first.
    package func sessions(of user: UserID) -> [SessionRecord] {
        (sessionsByUser[user] ?? []).compactMap { sessions[$0] }
            .sorted { ($0.created, $0.id) < ($1.created, $1.id) }
    }
    /// Oldest first.
    package var sortedSessions: [SessionRecord] {
        sessions.values.sorted { ($0.created, $0.id) < ($1.created, $1.id) }
    }
    /// The account that a credential ID belongs to.
    package func account(passkey id: [UInt8]) -> AccountRecord? {
        userByPasskey[id].flatMap { accounts[$0] }
    }
    package func preAuthKey(text: String) -> PreAuthKeyRecord? {
        preAuthKeyByHash[PreAuthKeyRecord.hash(of: text)].flatMap { preAuthKeys[$0] }
    }

    package func client(name: String) -> ClientRecord? {
        clientByName[name].flatMap { clients[$0] }
    }
    /// The oldest first.
    package func preAuthKeys(of client: ClientNumber) -> [PreAuthKeyRecord] {
        (preAuthKeysByClient[client] ?? []).sorted().compactMap { preAuthKeys[$0] }
    }
    package var sortedClients: [ClientRecord] { clients.values.sorted { $0.number < $1.number } }

    package var sortedUsers: [UserRecord] { users.values.sorted { $0.id < $1.id } }
    package var sortedPreAuthKeys: [PreAuthKeyRecord] {
        preAuthKeys.values.sorted { $0.id < $1.id }
    }
    package var sortedNodes: [NodeRecord] { nodes.values.sorted { $0.id < $1.id } }

    func isFree(_ address: IPv4Address) -> Bool { nodeByIPv4[address] == nil }
    func isFree(_ address: IPv6Address) -> Bool { nodeByIPv6[address] == nil }
    var ipv4Count: Int { nodeByIPv4.count }

    // MARK: Changing

    package mutating func apply(_ change: Change) {
        switch change {
        case .user(let record):
            if let old = users[record.id] { removeFromIndices(old) }
            users[record.id] = record
            userByName[record.name] = record.id
            for identity in record.identities { userByIdentity[identity] = record.id }
            highest.user = max(highest.user, record.id.value)
        case .userRemoved(let id):
            if let old = users.removeValue(forKey: id) { removeFromIndices(old) }
        case .preAuthKey(let record):
            if let old = preAuthKeys[record.id] { preAuthKeyByHash[old.hash] = nil }
            preAuthKeys[record.id] = record
            preAuthKeyByHash[record.hash] = record.id
            if let client = record.client {
                preAuthKeysByClient[client, default: []].insert(record.id)
            }
            highest.preAuthKey = max(highest.preAuthKey, record.id.value)
        case .preAuthKeyRemoved(let id):
            if let old = preAuthKeys.removeValue(forKey: id) {
                preAuthKeyByHash[old.hash] = nil
                if let client = old.client { preAuthKeysByClient[client]?.remove(id) }
            }
        case .client(let record):
            clients[record.number] = record
            clientByName[record.name] = record.number
            highest.client = max(highest.client, record.number.value)
        case .clientRemoved(let number):
            if let old = clients.removeValue(forKey: number) { clientByName[old.name] = nil }
        case .node(let record): put(record)
        case .nodeRemoved(let id):
            if let old = nodes.removeValue(forKey: id) { removeFromIndices(old) }
        case .account(let record): put(record, of: record.user)
        case .accountRemoved(let id): put(nil, of: id)
        case .session(let record):
            sessions[record.id] = record
            sessionsByUser[record.user, default: []].insert(record.id)
        case .sessionRemoved(let id):
            guard let old = sessions.removeValue(forKey: id) else { break }
            sessionsByUser[old.user]?.remove(id)
            if sessionsByUser[old.user]?.isEmpty == true { sessionsByUser[old.user] = nil }
        case .group(let record): groups[record.name] = record
        case .groupRemoved(let name): groups[name] = nil
        case .audit, .auditPruned: break
        }
    }

    private mutating func put(_ account: AccountRecord?, of user: UserID) {
        for passkey in accounts[user]?.passkeys ?? [] { userByPasskey[passkey.id] = nil }
        accounts[user] = account
        for passkey in account?.passkeys ?? [] { userByPasskey[passkey.id] = user }
    }

    private mutating func put(_ record: NodeRecord) {
        if let old = nodes[record.id] {
            removeFromIndices(old)
        } else if let address = record.ipv4 {
            lastIPv4 = address
        }
        precondition(nodeByKey[record.nodeKey] == nil, "two nodes never have the same key")
        nodes[record.id] = record
        nodeByKey[record.nodeKey] = record.id
        nodesByMachine[record.machineKey, default: []].append(record.id)
        nodesByMachine[record.machineKey]?.sort()
        nodeByName[record.name] = record.id
        if let address = record.ipv4 { nodeByIPv4[address] = record.id }
        if let address = record.ipv6 { nodeByIPv6[address] = record.id }
        highest.node = max(highest.node, record.id.value)
    }

    private mutating func removeFromIndices(_ record: UserRecord) {
        userByName[record.name] = nil
        for identity in record.identities { userByIdentity[identity] = nil }
    }

    private mutating func removeFromIndices(_ record: NodeRecord) {
        nodeByKey[record.nodeKey] = nil
        nodesByMachine[record.machineKey]?.removeAll { $0 == record.id }
        if nodesByMachine[record.machineKey]?.isEmpty == true {
            nodesByMachine[record.machineKey] = nil
        }
        nodeByName[record.name] = nil
        if let address = record.ipv4 { nodeByIPv4[address] = nil }
        if let address = record.ipv6 { nodeByIPv6[address] = nil }
    }
}
