import Glibc
import LinuxIO
import LinuxRouter
import NetTypes
import Netlink
import NetlinkSocket
import NetworkSandbox
import Testing
import TunDevice

@Suite(.enabled(if: NetworkSandbox.isPermitted, "needs root for a network namespace"))
struct LinuxRouterTests {
    /// What the kernel has of ours, as text, read past the router.
    private struct KernelState: Equatable {
        var link = ""
        var addresses: [String] = []
        var routes: [String] = []
        var rules: [String] = []
    }

    private static func kernelState(_ name: String = "skein0") throws -> KernelState {
        var socket = try NetlinkSocket()
        var state = KernelState()
        var index: UInt32 = 0
        try socket.dump("links", Link.dumpRequest) {
        } entry: { message in
            guard let link = try? Link(parsing: message.payload), link.name == name else { return }
            index = link.index
            state.link = "\(link.isUp ? "up" : "down") \(link.mtu)"
        }
        for family in AddressFamily.allCases {
            try socket.dump("addresses", InterfaceAddress.dumpRequest(family)) {
            } entry: { message in
                guard let address = try? InterfaceAddress(parsing: message.payload),
                    address.linkIndex == index
                else { return }
                state.addresses.append("\(address.prefix)")
            }
            state.routes += try routes(family, &socket)
            try socket.dump("rules", RoutingRule.dumpRequest(family)) {
            } entry: { message in
                guard let rule = try? RoutingRule(parsing: message.payload),
                    rule.origin == RouteOrigin.skein
                else { return }
                state.rules.append("\(family) \(rule.priority)")
            }
        }
        state.routes.sort()
        return state
    }

    private static func routes(
        _ family: AddressFamily, _ socket: inout NetlinkSocket
    ) throws -> [String] {
        var routes: [String] = []
        do throws(SystemError) {
            try socket.dump("routes", Route.dumpRequest(family, table: 52)) {
            } entry: { message in
                guard let route = try? Route(parsing: message.payload), route.table == 52
                else { return }
                routes.append(
                    "\(route.destination)" + (route.kind == .throwToNextRule ? " throw" : ""))
            }
        } catch {
            // A table without routes does not exist.
            guard error.code == SystemError.noEntry else { throw error }
        }
        return routes
    }

    private static let allRules = ["v4", "v6"].flatMap { family in
        [5210, 5230, 5250, 5270].map { "\(family) \($0)" }
    }
    private static let configuration = RouterConfiguration(
        interface: "skein0", mtu: 1280,
        addresses: [IPAddress("100.64.0.1")!, IPAddress("fd7a:115c:a1e0::1")!],
        routes: ["100.64.0.0/10", "fd7a:115c:a1e0::/48", "192.168.5.0/24"].map { IPPrefix($0)! })

    @Test func `A configuration is applied, changed and undone`() throws {
        try NetworkSandbox.run {
            let device = try TunDevice(name: "skein0")
            var router = try LinuxRouter()
            let first = router.apply(Self.configuration)
            #expect(first.problems == [] && first.hasIPv6)
            #expect(first.changeCount == 3 + 2 + 3 + 8)
            #expect(
                try Self.kernelState()
                    == KernelState(
                        link: "up 1280", addresses: ["100.64.0.1/32", "fd7a:115c:a1e0::1/128"],
                        routes: ["100.64.0.0/10", "192.168.5.0/24", "fd7a:115c:a1e0::/48"],
                        rules: Self.allRules))
            let again = router.apply(Self.configuration)
            #expect(again.changeCount == 0 && again.problems == [])

            var changed = Self.configuration
            changed.mtu = 1400
            changed.addresses[0] = IPAddress("100.64.0.9")!
            changed.routes = [IPPrefix("0.0.0.0/0")!, IPPrefix("::/0")!]
            changed.excludedRoutes = [IPPrefix("10.0.0.0/8")!, IPPrefix("fd00::/16")!]
            let second = router.apply(changed)
            #expect(second.problems == [])
            #expect(
                try Self.kernelState()
                    == KernelState(
                        link: "up 1400", addresses: ["100.64.0.9/32", "fd7a:115c:a1e0::1/128"],
                        routes: ["0.0.0.0/0", "10.0.0.0/8 throw", "::/0", "fd00::/16 throw"],
                        rules: Self.allRules))
            let idle = router.apply(changed)
            #expect(idle.changeCount == 0)

            let removed = router.removeAll(interface: "skein0")
            #expect(removed.problems == [])
            #expect(try Self.kernelState() == KernelState(link: "down 1400"))
            #expect(device.name == "skein0")
        }
    }

    @Test func `What a killed run left behind is taken over or removed`() throws {
        try NetworkSandbox.run {
            do {
                // The interface vanishes with its device; rules and exclusions stay.
                let device = try TunDevice(name: "skein0")
                var router = try LinuxRouter()
                var configuration = Self.configuration
                configuration.excludedRoutes = [IPPrefix("10.0.0.0/8")!]
                _ = router.apply(configuration)
                #expect(device.name == "skein0")
            }
            #expect(
                try Self.kernelState()
                    == KernelState(routes: ["10.0.0.0/8 throw"], rules: Self.allRules))
            let device = try TunDevice(name: "skein0")
            var router = try LinuxRouter()
            let report = router.apply(Self.configuration)
            #expect(report.problems == [])
            #expect(
                try Self.kernelState().routes == [
                    "100.64.0.0/10", "192.168.5.0/24", "fd7a:115c:a1e0::/48",
                ])
            #expect(try Self.kernelState().rules == Self.allRules)
            #expect(device.name == "skein0")
        }
        try NetworkSandbox.run {
            do {
                let device = try TunDevice(name: "skein0")
                var router = try LinuxRouter()
                _ = router.apply(Self.configuration)
                #expect(device.name == "skein0")
            }
            var router = try LinuxRouter()
            let report = router.removeAll(interface: "skein0")
            #expect(report.problems == [])
            #expect(try Self.kernelState() == KernelState())
        }
    }

    @Test func `One bad route does not keep the others out`() throws {
        try NetworkSandbox.run {
            let device = try TunDevice(name: "skein0")
            var router = try LinuxRouter()
            var configuration = Self.configuration
            // An MTU beyond what the kernel has for any interface.
            configuration.mtu = 1 << 20
            let report = router.apply(configuration)
            #expect(
                report.problems == [
                    SystemError(
                        "set MTU 1048576 on skein0", code: SystemError.invalidArgument)
                ])
            #expect(try Self.kernelState().addresses.count == 2)
            #expect(device.name == "skein0")
        }
    }

    @Test("Without IPv6 only IPv4 is set, and the report says so", arguments: [false, true])
    func withoutIPv6(byMTU: Bool) throws {
        try NetworkSandbox.run {
            let device = try TunDevice(name: "skein0")
            var router = try LinuxRouter()
            var configuration = Self.configuration
            if byMTU {
                configuration.mtu = 1000
            } else {
                try Self.write("1", to: "/proc/sys/net/ipv6/conf/skein0/disable_ipv6")
            }
            let report = router.apply(configuration)
            #expect(!report.hasIPv6 && report.problems == [])
            let state = try Self.kernelState()
            #expect(state.addresses == ["100.64.0.1/32"])
            #expect(state.routes == ["100.64.0.0/10", "192.168.5.0/24"])
            #expect(state.rules == Self.allRules.filter { $0.hasPrefix("v4") })
            #expect(device.name == "skein0")
        }
    }

    private static func write(_ text: String, to path: String) throws {
        let descriptor = Descriptor(owning: try check("open \(path)", open(path, O_WRONLY)))
        _ = try check(
            "write \(path)", text.withCString { Glibc.write(descriptor.raw, $0, text.utf8.count) })
    }

    @Test func `A missing interface is a problem with a name`() throws {
        let report = try NetworkSandbox.run {
            var router = try LinuxRouter()
            return router.apply(Self.configuration)
        }
        #expect(
            report.problems == [
                SystemError("find interface skein0", code: SystemError.noDevice)
            ])
    }

    @Test func `A second daemon's routes and the rules it needs survive`() throws {
        try NetworkSandbox.run {
            let first = try TunDevice(name: "skein0")
            let second = try TunDevice(name: "skein1")
            var router = try LinuxRouter()
            _ = router.apply(Self.configuration)
            var other = Self.configuration
            other.interface = "skein1"
            other.addresses = [IPAddress("100.64.0.7")!]
            other.routes = [IPPrefix("172.16.0.0/12")!, IPPrefix("fd00:7::/64")!]
            let applied = router.apply(other)
            #expect(applied.problems == [])
            _ = router.removeAll(interface: "skein0")
            let state = try Self.kernelState("skein1")
            #expect(state.routes == ["172.16.0.0/12", "fd00:7::/64"])
            #expect(state.rules == Self.allRules)
            #expect(first.name + second.name == "skein0skein1")
        }
    }
}
