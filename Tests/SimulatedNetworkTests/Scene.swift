import NetTypes
import SimulatedNetwork

func address(_ text: String) -> IPAddress { IPAddress(text)! }

/// Hosts behind one router, and a server with two addresses on the internet, all of whose ports send
/// and receive.
struct Scene: ~Copyable {
    var network: SimulatedNetwork
    let router: SimulatedNetwork.RouterID
    private(set) var insides: [SimulatedNetwork.HostID] = []
    let server: SimulatedNetwork.HostID
    static let serverAddresses = [address("198.51.100.1"), address("198.51.100.2")]
    static let outside = address("203.0.113.9")

    init(_ behavior: RouterBehavior, hosts: Int = 1, seed: UInt64 = 3) {
        network = SimulatedNetwork(seed: seed)
        let link = SimulatedNetwork.Link(delay: .milliseconds(1))
        router = network.addRouter(behavior, outside: [Self.outside])
        server = network.addHost(Self.serverAddresses, link: link)
        for number in 0..<hosts {
            insides.append(
                network.addHost([Self.inside(number)], behind: router, link: link))
        }
    }

    static func inside(_ number: Int) -> IPAddress {
        .v4(IPv4Address(192, 168, 1, UInt8(number + 2)))
    }

    /// Where the server's address `server` and `port` sees a datagram from an inside port come from;
    /// nil when it does not come.
    mutating func mapping(
        of host: Int = 0, from inside: UInt16 = 5_000, to server: Int = 0, port: UInt16 = 1
    ) -> Endpoint? {
        network.send(
            [1], from: insides[host], port: inside,
            to: Endpoint(Self.serverAddresses[server], port: port))
        guard case .datagram(_, _, let from, _) = network.next(until: network.now + .seconds(1))
        else { return nil }
        return from
    }

    /// Whether a datagram of the server comes in by `endpoint`.
    mutating func admits(_ endpoint: Endpoint, from server: Int = 0, port: UInt16 = 1) -> Bool {
        network.send(
            [2], from: self.server, port: port, to: endpoint, by: Self.serverAddresses[server])
        return network.next(until: network.now + .seconds(1)) != nil
    }

    mutating func wait(_ duration: Nanoseconds) {
        _ = network.next(until: network.now + duration)
    }
}

extension RouterBehavior {
    static func nat(
        _ mapping: Dependence, _ filtering: Dependence,
        _ allocation: PortAllocation = .random
    ) -> Self {
        var behavior = Self()
        behavior.mapping = mapping
        behavior.filtering = filtering
        behavior.allocation = allocation
        return behavior
    }
}
