package import ControlMessages
internal import CryptoPrimitives
package import NetTypes

/// Names a login that waits for a person: 24 random letters and digits.
package struct PendingLoginID: Hashable, Sendable, CustomStringConvertible {
    package var text: String
    package var description: String { text }

    /// Takes the ID itself or the AuthURL that ends in it.
    package init(_ text: String) {
        self.text = text.split(separator: "/").last.map { String($0) } ?? ""
    }

    init(random: inout some RandomNumberGenerator) {
        let alphabet = Array("abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789".utf8)
        var text: [UInt8] = []
        while text.count < 24 {
            // Bytes past the largest multiple of the alphabet would make its start more likely.
            for byte in random.bytes(count: 32)
            where Int(byte) < 256 / alphabet.count * alphabet.count {
                if text.count < 24 { text.append(alphabet[Int(byte) % alphabet.count]) }
            }
        }
        self.text = String(decoding: text, as: UTF8.self)
    }
}

/// A machine that asked to join without a key and waits for somebody to let it in.
package struct PendingLogin: Sendable {
    package var id: PendingLoginID
    package var machineKey: MachineKey
    package var nodeKey: NodeKey
    package var hostinfo: Hostinfo
    package var capabilityVersion: Int
    package var isEphemeral: Bool
    /// What the node asked for; zero when nothing.
    package var requestedExpiry: Timestamp
    /// Where the machine asked from, behind trusted proxies.
    package var address: IPAddress?
    package var certificate: MachineCertificate?
    package var created: Moment
    package var isRejected = false
}

/// The logins that wait, at most so many: the oldest makes room for the newest.
struct PendingLogins: Sendable {
    private let capacity: Int
    private let lifetime: Nanoseconds
    private var logins: [PendingLoginID: PendingLogin] = [:]
    /// Oldest first.
    private var order: [PendingLoginID] = []

    init(capacity: Int, lifetime: Nanoseconds) {
        self.capacity = capacity
        self.lifetime = lifetime
    }

    subscript(id: PendingLoginID) -> PendingLogin? { logins[id] }

    var all: [PendingLogin] { order.compactMap { logins[$0] } }

    func login(machine: MachineKey, nodeKey: NodeKey) -> PendingLogin? {
        all.first { $0.machineKey == machine && $0.nodeKey == nodeKey && !$0.isRejected }
    }

    /// Adds a login; those it displaces (of the same machine, or the oldest) are returned.
    mutating func add(_ login: PendingLogin) -> [PendingLoginID] {
        var displaced = order.filter { logins[$0]?.machineKey == login.machineKey }
        for id in displaced { remove(id) }
        if order.count >= capacity, let oldest = order.first {
            remove(oldest)
            displaced.append(oldest)
        }
        logins[login.id] = login
        order.append(login.id)
        return displaced
    }

    mutating func reject(_ id: PendingLoginID) { logins[id]?.isRejected = true }

    mutating func remove(_ id: PendingLoginID) {
        guard logins.removeValue(forKey: id) != nil else { return }
        order.removeAll { $0 == id }
    }

    /// Removes what waited too long.
    mutating func expire(at now: MonotonicInstant) -> [PendingLoginID] {
        let old = order.prefix { id in
            logins[id].map { now - $0.created.monotonic >= lifetime } ?? true
        }
        for id in old { logins[id] = nil }
        order.removeFirst(old.count)
        return Array(old)
    }

    var nextDeadline: MonotonicInstant? {
        order.first.flatMap { logins[$0] }.map { $0.created.monotonic + lifetime }
    }
}
