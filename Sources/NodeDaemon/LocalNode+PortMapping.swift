import DataPlane
import LocalAPI
import Logging
import NetTypes
import NetworkMonitor
import PortMapper
import PortMapping

extension LocalNode {
    /// Has gateways asked for a port while the tunnel is up.
    func reconcilePortMapping() {
        guard let mapper = parts.portMapper else { return }
        let wanted = backendState == .running && prefs.mapsPorts
        if applied.isPortMappingOn != wanted {
            applied.isPortMappingOn = wanted
            mapper.setEnabled(wanted)
        }
    }

    /// The links are as `link` says: gateways that were there before may have been restarted.
    func tellPortMapper() {
        parts.portMapper?.setLinks(
            link.gatewayLinks(ipv4Port: parts.ports.ipv4, ipv6Port: parts.ports.ipv6))
    }

    func handle(_ status: PortMappingStatus) {
        let before = portMapping
        portMapping = status
        if before.endpoints != status.endpoints {
            logger.info(
                "port mapping",
                metadata: [
                    "endpoints": "\(status.endpoints)",
                    "by": "\(status.mappings.map(\.protocol.name))",
                ])
            parts.dataPlane.setPortMappedEndpoints(status.endpoints)
        }
        if before.pcp != status.pcp || before.natPMP != status.natPMP || before.upnp != status.upnp
            || before.endpoints.isEmpty != status.endpoints.isEmpty
        {
            updateSignal?.yield()
        }
        let port = status.mappings.first { $0.external.address.isIPv4 }?.external.port
        guard let port, port != stored.portMapping.externalPort else { return }
        stored.portMapping.externalPort = port
        do throws(StateError) { try store() } catch {
            // It is only a wish for the next start.
            logger.info("the mapped port is not remembered: \(error)")
        }
    }
}

extension LinkState {
    /// The gateways of the default routes, and our address on the way to each.
    func gatewayLinks(ipv4Port: UInt16?, ipv6Port: UInt16?) -> [PortMapper.Link] {
        let routes = [
            (gatewayV4, defaultInterfaceV4, ipv4Port), (gatewayV6, defaultInterfaceV6, ipv6Port),
        ]
        return routes.compactMap { gateway, interface, port in
            guard let gateway, let interface, let port else { return nil }
            let candidates = addresses.filter {
                $0.interface == interface && $0.prefix.address.isIPv4 == gateway.isIPv4
                    && !$0.prefix.address.isLinkLocal
            }
            // Of several addresses the one in the gateway's network; with IPv6 a global one.
            let own =
                candidates.first { $0.prefix.contains(gateway) }
                ?? candidates.first { !$0.prefix.address.isPrivate }
            guard let own else { return nil }
            return PortMapper.Link(
                interface: interface,
                link: GatewayLink(gateway: gateway, own: own.prefix, port: port))
        }
    }
}
