package import NetTypes

/// What a packet filter shall allow.
package struct FilterConfiguration: Equatable, Sendable {
    /// Everything one of these rules allows may come in, and answers to what went out.
    package var rules: [PacketRule]
    /// Destinations that are this node or behind it: its own addresses, the routes it advertises.
    /// Nothing else may come in whatever the rules say.
    package var localDestinations: AddressSet
    /// Nothing may come in but answers.
    package var shieldsUp: Bool
    /// TCP destinations that are open whatever the rules say and whether shields are up: the PeerAPI,
    /// which authorizes by itself.
    package var openEndpoints: [Endpoint]
    /// The addresses of the nodes that have a capability, for sources that name one.
    package var capabilityHolders: [String: AddressSet]

    package init(
        rules: [PacketRule] = [], localDestinations: AddressSet = AddressSet(),
        shieldsUp: Bool = false, openEndpoints: [Endpoint] = [],
        capabilityHolders: [String: AddressSet] = [:]
    ) {
        self.rules = rules
        self.localDestinations = localDestinations
        self.shieldsUp = shieldsUp
        self.openEndpoints = openEndpoints
        self.capabilityHolders = capabilityHolders
    }
}
