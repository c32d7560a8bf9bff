import NetReport
import NetTypes

// On a network without IPv4 the engines speak of IPv4 endpoints all the same: here, between them and
// the sockets, these become addresses of the translator and back.
extension PacketLoop {
    /// Where a datagram for an endpoint is sent to.
    func outward(_ endpoint: Endpoint?) -> Endpoint? {
        guard let prefix = links.nat64, let endpoint, case .v4(let address) = endpoint.address
        else {
            return endpoint
        }
        return Endpoint(.v6(prefix.synthesize(address)), port: endpoint.port)
    }

    /// Whom a datagram from an endpoint comes from.
    func inward(_ endpoint: Endpoint?) -> Endpoint? {
        guard let prefix = links.nat64, let endpoint, case .v6(let address) = endpoint.address,
            let inner = prefix.extract(address)
        else { return endpoint }
        return Endpoint(.v4(inner), port: endpoint.port)
    }
}
