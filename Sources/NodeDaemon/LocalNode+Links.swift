import DataPlane
import Logging
import NetReport
import NetTypes
import NetworkMonitor

// What the packet thread is told about this machine's links.
extension LocalNode {
    func applyLinks() {
        var families: AddressFamilies = []
        if link.canSendIPv4 { families.insert(.ipv4) }
        if link.canSendIPv6 { families.insert(.ipv6) }
        if families != .ipv6 { nat64 = nil }
        parts.dataPlane.setLinks(
            LinkSummary(addresses: link.candidateAddresses, families: families, nat64: nat64))
    }

    /// On a network without IPv4: asks what prefix its translator has (RFC 7050), if it has any.
    func discoverNAT64() {
        guard link.canSendIPv6, !link.canSendIPv4 else { return }
        // As with other names, `end` does not wait for the resolver.
        nat64Task?.cancel()
        nat64Task = Task {
            let prefix = await NameResolver.nat64Prefix()
            if !Task.isCancelled { self.take(nat64: prefix) }
        }
    }

    private func take(nat64 prefix: NAT64Prefix?) {
        guard prefix != nat64, !link.canSendIPv4 else { return }
        nat64 = prefix
        logger.info(
            "IPv4 is reached by NAT64", metadata: ["prefix": "\(prefix?.description ?? "")"])
        applyLinks()
        parts.dataPlane.handleLinkChange()
        reconcile()
    }
}
