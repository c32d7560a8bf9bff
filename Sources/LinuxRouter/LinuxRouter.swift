package import LinuxIO
internal import NetTypes
internal import Netlink
internal import NetlinkSocket

/// Makes the kernel's addresses, rules and routes those of a configuration, by difference.
///
/// What is ours is known by its place and its maker, not by memory: addresses stand on our
/// interface, rules and routes carry `RouteOrigin.skein`. So what an earlier run left behind when it
/// was killed is taken over or removed like anything else that is not wanted.
///
/// Everything goes through a table of its own (data protocol, "Marks, rules, routes"):
///
///     5210  packets with our mark → main       so that our own traffic never enters the tunnel
///     5230  packets with our mark → default
///     5250  packets with our mark → unreachable
///     5270  all other packets     → table 52   which holds the routes of the mesh
package struct LinuxRouter: ~Copyable, Sendable {
    /// The routing table of the mesh.
    package static var table: UInt32 { 52 }

    var socket: NetlinkSocket

    package init() throws(SystemError) { socket = try NetlinkSocket() }

    /// Makes the kernel's state that of `desired`. May be called as often as wanted: what already is
    /// as it should be is left alone.
    package mutating func apply(_ desired: RouterConfiguration) -> RouterReport {
        var report = RouterReport()
        guard let link = findLink(desired.interface, &report) else {
            report.problems.append(
                SystemError("find interface \(desired.interface)", code: SystemError.noDevice))
            return report
        }
        if link.mtu != desired.mtu {
            perform(
                "set MTU \(desired.mtu) on \(link.name)",
                Link.mtuRequest(index: link.index, mtu: desired.mtu), &report)
        }
        if !link.isUp {
            withoutLinkLocalAddress(link, &report)
            perform(
                "set \(link.name) up", Link.stateRequest(index: link.index, isUp: true), &report)
        }
        for family in AddressFamily.allCases {
            // The kernel takes IPv6 off an interface with a smaller MTU (RFC 8200 §5).
            if family == .v6, desired.mtu < 1280 {
                report.hasIPv6 = false
                continue
            }
            guard applyAddresses(desired, family, link, &report) else { continue }
            applyRoutes(desired, family, link, &report)
            applyRules(Self.rules(family), family, &report)
        }
        return report
    }

    /// Undoes everything: takes `interface` down and removes its addresses, our routes, and our rules
    /// unless another interface still needs them. Also removes what a killed run left behind.
    package mutating func removeAll(interface: String) -> RouterReport {
        var report = RouterReport()
        let link = findLink(interface, &report)
        for family in AddressFamily.allCases {
            let nothing = RouterConfiguration(interface: interface)
            if let link {
                guard applyAddresses(nothing, family, link, &report) else { continue }
            }
            let others = applyRoutes(nothing, family, link, &report)
            if !others { applyRules([], family, &report) }
        }
        if let link, link.isUp {
            perform(
                "set \(link.name) down", Link.stateRequest(index: link.index, isUp: false), &report)
        }
        return report
    }

    private static func rules(_ family: AddressFamily) -> [RoutingRule] {
        let ours = RoutingRule.Mark(value: SocketMark.bypassingTunnel, mask: SocketMark.mask)
        func rule(
            _ priority: UInt32, _ mark: RoutingRule.Mark?, _ action: RoutingRule.Action
        ) -> RoutingRule {
            RoutingRule(
                family, priority: priority, mark: mark, action: action, origin: RouteOrigin.skein)
        }
        return [
            rule(5210, ours, .lookUp(table: Route.mainTable)),
            rule(5230, ours, .lookUp(table: Route.defaultTable)),
            rule(5250, ours, .unreachable),
            rule(5270, nil, .lookUp(table: table)),
        ]
    }
}
