import NIOCore
import NetTypes

/// Where a request comes from.
struct ClientAddress: Sendable {
    /// Proxies whose `X-Forwarded-For` is believed.
    var trustedProxies: [IPPrefix]

    func isTrusted(_ address: IPAddress) -> Bool {
        trustedProxies.contains { $0.contains(address) }
    }

    /// The last address in the chain of proxies that is not one of ours.
    func resolve(peer: IPAddress?, forwardedFor: [String]) -> IPAddress? {
        guard let peer, isTrusted(peer) else { return peer }
        let chain = forwardedFor.joined(separator: ",").split(separator: ",")
        var last = peer
        for text in chain.reversed() {
            let trimmed = text.drop { $0 == " " }.prefix { $0 != " " }
            guard let address = IPAddress(trimmed) else { return last }
            last = address
            guard isTrusted(address) else { return address }
        }
        return last
    }
}

extension SocketAddress {
    /// The IP address, IPv4 for a v4-mapped one; nil for a Unix socket.
    var netAddress: IPAddress? {
        guard let text = ipAddress, let address = IPAddress(text) else { return nil }
        return IPAddress(unmapping: address.mapped)
    }
}
