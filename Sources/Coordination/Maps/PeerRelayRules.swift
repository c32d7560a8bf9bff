import ControlMessages
import NetTypes

/// Which nodes may relay UDP for which others. Told to both as capabilities in a part of the packet
/// filter that has a name of its own, so that it can be replaced alone.
extension Coordinator {
    static var relayFilterName: String { "peer-relays" }

    /// The rules for one node; empty for most.
    func relayRules(for node: NodeRecord) -> [FilterRule] {
        var rules: [FilterRule] = []
        if !node.relaysFor.isEmpty {
            let sources =
                node.relaysFor.contains("*")
                ? ["*"]
                : addresses(
                    of: state.sortedNodes.filter {
                        $0.id != node.id && !$0.awaitsApproval && relays(node, for: $0)
                    })
            rules.append(rule("tailscale.com/cap/relay", heldBy: sources, on: node))
        }
        let own = state.sortedNodes.filter {
            $0.id != node.id && !$0.awaitsApproval && relays($0, for: node)
        }
        rules.append(rule("tailscale.com/cap/relay-target", heldBy: addresses(of: own), on: node))
        return rules.filter { !$0.sources.isEmpty }
    }

    private func rule(
        _ capability: String, heldBy sources: [String], on node: NodeRecord
    ) -> FilterRule {
        FilterRule(
            sources: sources,
            capabilityGrants: [
                CapabilityGrant(destinations: node.addresses, capabilities: [capability: []])
            ])
    }

    private func addresses(of nodes: [NodeRecord]) -> [String] {
        nodes.flatMap(\.addresses).map(\.address.description)
    }

    private func relays(_ relay: NodeRecord, for node: NodeRecord) -> Bool {
        guard !relay.relaysFor.isEmpty else { return false }
        let owner = node.user.flatMap { state.users[$0]?.name }
        return relay.relaysFor.contains { $0 == "*" || $0 == owner || node.tags.contains($0) }
    }

    /// Whether a change of one node's record changes the rules of others, or its own.
    func changesRelayRules(from old: NodeRecord?, to new: NodeRecord?) -> Bool {
        if (old?.relaysFor ?? []) != (new?.relaysFor ?? []) { return true }
        // Its addresses, its owner and its tags are what the rules are made of.
        let isSame =
            old?.addresses == new?.addresses && old?.user == new?.user && old?.tags == new?.tags
            && old?.awaitsApproval == new?.awaitsApproval
        guard !isSame else { return false }
        return state.nodes.values.contains { !$0.relaysFor.isEmpty }
    }
}
