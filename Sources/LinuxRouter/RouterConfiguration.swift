package import LinuxIO
package import NetTypes

/// How the tunnel's interface and the routes into it shall be.
package struct RouterConfiguration: Equatable, Sendable {
    package var interface: String
    /// In bytes.
    package var mtu: UInt32
    /// Ours in the mesh; each is assigned alone, without a prefix around it.
    package var addresses: [IPAddress]
    /// What goes into the tunnel. 0.0.0.0/0 and ::/0 make an exit node carry everything.
    package var routes: [IPPrefix]
    /// What stays out of the tunnel although a route covers it, such as the local network.
    package var excludedRoutes: [IPPrefix]

    package init(
        interface: String, mtu: UInt32 = 1280, addresses: [IPAddress] = [],
        routes: [IPPrefix] = [], excludedRoutes: [IPPrefix] = []
    ) {
        self.interface = interface
        self.mtu = mtu
        self.addresses = addresses
        self.routes = routes
        self.excludedRoutes = excludedRoutes
    }
}

/// What came of applying a configuration. A problem with one address or route does not keep the
/// others from being set.
package struct RouterReport: Equatable, Sendable {
    /// Each names what was tried.
    package var problems: [SystemError] = []
    /// False when the kernel or the interface has IPv6 switched off, or the MTU is too small for it:
    /// then only IPv4 was set.
    package var hasIPv6 = true
    /// Requests that changed something.
    package var changeCount = 0

    package init() {}
}
