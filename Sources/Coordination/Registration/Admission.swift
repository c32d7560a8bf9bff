import ControlMessages
import NetTypes

/// A machine that may come in, and as what.
struct Admission {
    var machineKey: MachineKey
    var nodeKey: NodeKey
    var hostinfo: Hostinfo
    var capabilityVersion: Int
    var user: UserID
    var tags: [String]
    var isEphemeral: Bool
    /// Zero when the node asked for none.
    var requestedExpiry: Timestamp
    var registration: RegistrationMethod
    var preAuthKey: PreAuthKeyID?
    /// Whether nobody has to approve it any more.
    var isApproved: Bool
    var certificate: MachineCertificate?
}

extension Coordinator {
    /// The changes that let a machine in, and its record: the one it had, with addresses and name,
    /// where it was in the network before; else a new one.
    func admit(
        _ admission: Admission, at now: Timestamp
    ) throws(RegistrationRefusal) -> (changes: [Change], node: NodeRecord) {
        try checkCertificate(of: admission, at: now)
        var node: NodeRecord
        if let former = formerNode(of: admission) {
            node = former
        } else {
            node = try newNode(for: admission, at: now)
        }
        node.nodeKey = admission.nodeKey
        // A node with tags that comes back with a user's key stays what it is.
        if !node.isTagged || !admission.tags.isEmpty { node.tags = admission.tags }
        node.user = node.isTagged ? nil : admission.user
        node.expiry = expiry(for: node, requested: admission.requestedExpiry, at: now)
        node.isEphemeral = admission.isEphemeral
        if admission.isApproved { node.awaitsApproval = false }
        node.registration = admission.registration
        node.preAuthKey = admission.preAuthKey
        node.certificate = admission.certificate
        takeIn(admission.hostinfo, &node)
        node.capabilityVersion = admission.capabilityVersion

        var changes: [Change] = []
        // The same machine may have been here as another user's node with the same key. That one
        // goes in the same step: two nodes never have one key.
        if let other = state.node(key: admission.nodeKey), other.id != node.id {
            changes.append(.nodeRemoved(other.id))
        }
        changes.append(.node(node))
        return (changes, node)
    }

    private func formerNode(of admission: Admission) -> NodeRecord? {
        let nodes = state.nodes(machine: admission.machineKey)
        return nodes.first { $0.isTagged }
            ?? nodes.first { $0.user == admission.user }
    }

    private func newNode(
        for admission: Admission, at now: Timestamp
    ) throws(RegistrationRefusal) -> NodeRecord {
        let label = NodeName.label(fromHostname: admission.hostinfo.hostname)
        var node = NodeRecord(
            id: NodeID(state.highest.node + 1), machineKey: admission.machineKey,
            nodeKey: admission.nodeKey,
            name: NodeName.unique(label) { state.node(name: $0) != nil }, created: now,
            registration: admission.registration)
        node.awaitsApproval = settings.requiresApproval
        if let range = settings.ipv4Range {
            guard let address = AddressAllocation.nextIPv4(in: range, state: state) else {
                throw .noAddressLeft
            }
            node.ipv4 = address
        }
        if let range = settings.ipv6Range {
            let address = AddressAllocation.nextIPv6(
                in: range, beside: node.ipv4, of: settings.ipv4Range, state: state)
            guard let address else { throw .noAddressLeft }
            node.ipv6 = address
        }
        return node
    }

    /// When a node's new key expires: as configured, or sooner if it asks so. Nodes with tags have
    /// nobody who would log in again; they expire only where one of their tags says so.
    private func expiry(
        for node: NodeRecord, requested: Timestamp, at now: Timestamp
    ) -> Timestamp? {
        var lifetime: Nanoseconds?
        if node.isTagged {
            lifetime = node.tags.compactMap { settings.keyLifetimes[$0] }.filter { $0 > .zero }
                .min()
            guard lifetime != nil else { return nil }
        } else {
            let owner = node.user.flatMap { state.users[$0]?.name }
            lifetime = owner.flatMap { settings.keyLifetimes[$0] } ?? settings.keyLifetime
            if lifetime == .zero { lifetime = nil }
        }
        let standard = lifetime.map { now + $0 }
        guard !requested.isZero else { return standard }
        return standard.map { min($0, requested) } ?? requested
    }

    /// Takes in what a node tells of itself. Clients leave out NetInfo where it did not change, so
    /// the one from before stays.
    func takeIn(_ hostinfo: Hostinfo, _ node: inout NodeRecord) {
        var hostinfo = hostinfo
        if let netInfo = hostinfo.netInfo {
            if netInfo.preferredDERP != 0 { node.homeDERP = netInfo.preferredDERP }
        } else {
            hostinfo.netInfo = node.hostinfo.netInfo
        }
        if !node.isNameChosen {
            let label = NodeName.label(fromHostname: hostinfo.hostname)
            let before = NodeName.label(fromHostname: node.hostinfo.hostname)
            let isKnown = state.nodes[node.id] != nil
            if isKnown, label != before, !hostinfo.hostname.isEmpty {
                let id = node.id
                node.name = NodeName.unique(label) { name in
                    state.node(name: name).map { $0.id != id } ?? false
                }
            }
        }
        node.hostinfo = hostinfo
    }
}
