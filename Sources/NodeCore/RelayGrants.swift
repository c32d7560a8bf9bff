internal import ControlMessages
internal import NetTypes
internal import PacketFilter

/// Which peers may relay UDP for this node, and for which it relays: capabilities that the packet
/// filter grants to addresses (control protocol §6.7, data plane §3.10).
struct RelayGrants {
    /// Relays for whoever holds it on the relay.
    static var relay: String { "tailscale.com/cap/relay" }
    /// Held by a relay on those whom it relays for.
    static var relayTarget: String { "tailscale.com/cap/relay-target" }
    /// From here on nodes know the protocol.
    static var capabilityVersion: Int { 121 }

    private var grants: [(sources: AddressSet, roles: PeerRelayRoles)] = []
    private var usesRelays = true

    init(_ rules: [FilterRule], own node: Node) {
        usesRelays = node.capabilities["disable-relay-client"] == nil
        let own = node.addresses.map(\.address)
        for rule in rules {
            var roles: PeerRelayRoles = []
            for grant in rule.capabilityGrants
            where grant.destinations.contains(where: { own.contains(where: $0.contains) }) {
                if grant.capabilities[Self.relay] != nil { roles.insert(.mayUseOurs) }
                if grant.capabilities[Self.relayTarget] != nil { roles.insert(.relaysForUs) }
            }
            guard !roles.isEmpty else { continue }
            // The filter names what it cannot read.
            let sources = rule.sources.compactMap { AddressRange.parse($0) }.joined()
            grants.append((AddressSet(Array(sources)), roles))
        }
    }

    /// Only the first address of each family counts.
    func roles(of peer: Node) -> PeerRelayRoles {
        guard peer.capabilityVersion >= Self.capabilityVersion, !peer.isWireGuardOnly else {
            return []
        }
        let addresses = peer.addresses.map(\.address)
        let known = [addresses.first(where: \.isIPv4), addresses.first(where: \.isIPv6)]
            .compactMap { $0 }
        var roles: PeerRelayRoles = []
        for grant in grants where known.contains(where: grant.sources.contains) {
            roles.formUnion(grant.roles)
        }
        guard usesRelays else { return roles.intersection(.mayUseOurs) }
        return roles.union(.canBeRelayed)
    }
}
