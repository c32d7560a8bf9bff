internal import LinuxIO
internal import NetTypes
internal import Netlink
internal import NetlinkSocket

extension LinuxRouter {
    /// Nil when there is no such interface; why it could not be looked up goes into `report`.
    mutating func findLink(_ name: String, _ report: inout RouterReport) -> Link? {
        entries("list interfaces", Link.dumpRequest, &report) { (payload) throws(NetlinkError) in
            try Link(parsing: payload)
        }?.first { $0.name == name }
    }

    /// False when this family cannot be used.
    mutating func applyAddresses(
        _ desired: RouterConfiguration, _ family: AddressFamily, _ link: Link,
        _ report: inout RouterReport
    ) -> Bool {
        let known = entries(
            "list IP\(family) addresses", InterfaceAddress.dumpRequest(family), &report
        ) { (payload) throws(NetlinkError) in try InterfaceAddress(parsing: payload) }
        guard let known else { return false }
        // The link-scope address of IPv6 is the kernel's own.
        let present = known.filter { $0.linkIndex == link.index && !$0.isLinkScope }.map(\.prefix)
        let wanted = desired.addresses.filter { $0.isIPv4 == (family == .v4) }
            .map { IPPrefix(host: $0) }
        for prefix in present where !wanted.contains(prefix) {
            perform(
                "remove address \(prefix)",
                InterfaceAddress(linkIndex: link.index, prefix: prefix).deleteRequest, &report)
        }
        for prefix in wanted where !present.contains(prefix) {
            let error = attempt(
                "add address \(prefix)",
                InterfaceAddress(linkIndex: link.index, prefix: prefix).addRequest, &report)
            guard let error else { continue }
            if family == .v6, Self.meansDisabled(error) {
                report.hasIPv6 = false
                return false
            }
            report.problems.append(error)
        }
        return true
    }

    /// Returns whether the table has routes of ours through other interfaces. Without `link` all
    /// routes of ours whose interface is gone are removed.
    @discardableResult
    mutating func applyRoutes(
        _ desired: RouterConfiguration, _ family: AddressFamily, _ link: Link?,
        _ report: inout RouterReport
    ) -> Bool {
        let known = entries(
            "list IP\(family) routes", Route.dumpRequest(family, table: Self.table), &report
        ) { (payload) throws(NetlinkError) in try Route(parsing: payload) }
        guard let known else { return true }
        let ours = known.filter { $0.table == Self.table && $0.origin == RouteOrigin.skein }
        let others = ours.contains { $0.kind == .unicast && $0.linkIndex != link?.index }
        var wanted: [Route] = []
        if let link {
            let isOfFamily = { (prefix: IPPrefix) in prefix.address.isIPv4 == (family == .v4) }
            wanted += desired.routes.filter(isOfFamily).map {
                Route(
                    $0.masked, table: Self.table, linkIndex: link.index, origin: RouteOrigin.skein)
            }
            wanted += desired.excludedRoutes.filter(isOfFamily).map {
                Route(
                    $0.masked, table: Self.table, kind: .throwToNextRule,
                    origin: RouteOrigin.skein)
            }
        }
        let wantedKeys = Set(wanted.map(RouteKey.init))
        let presentKeys = Set(ours.map(RouteKey.init))
        for route in ours where !wantedKeys.contains(RouteKey(route)) {
            // Another interface's routes are another daemon's, and with them the exclusions may be.
            let isAnothers =
                route.kind == .unicast ? route.linkIndex != link?.index : others
            if isAnothers { continue }
            perform("remove route \(route.destination)", route.deleteRequest, &report)
        }
        for route in wanted where !presentKeys.contains(RouteKey(route)) {
            perform("add route \(route.destination)", route.addRequest, &report)
        }
        return others
    }

    mutating func applyRules(
        _ wanted: [RoutingRule], _ family: AddressFamily, _ report: inout RouterReport
    ) {
        let known = entries(
            "list IP\(family) rules", RoutingRule.dumpRequest(family), &report
        ) { (payload) throws(NetlinkError) in try RoutingRule(parsing: payload) }
        guard let known else { return }
        let ours = known.filter { $0.origin == RouteOrigin.skein }
        for rule in ours where !wanted.contains(rule) {
            perform("remove rule \(rule.priority)", rule.deleteRequest, &report)
        }
        for rule in wanted where !ours.contains(rule) {
            perform("add rule \(rule.priority)", rule.addRequest, &report)
        }
    }

    /// The parts of a route by which the kernel's is compared to ours: it adds a metric of its own.
    private struct RouteKey: Hashable {
        var destination: IPPrefix
        var kind: Route.Kind
        var linkIndex: UInt32?

        init(_ route: Route) {
            destination = route.destination
            kind = route.kind
            // The kernel gives IPv6 routes without an interface the loopback's.
            linkIndex = route.kind == .unicast ? route.linkIndex : nil
        }
    }

    /// Nil when the table cannot be read. Entries of kinds we do not know are left out.
    private mutating func entries<Entry>(
        _ operation: String, _ request: NetlinkRequest, _ report: inout RouterReport,
        parse: (RawSpan) throws(NetlinkError) -> Entry
    ) -> [Entry]? {
        var entries: [Entry] = []
        do throws(SystemError) {
            try socket.dump(operation, request) {
                entries = []
            } entry: { message in
                // An entry in a form we do not know is none of ours.
                if let entry = try? parse(message.payload) { entries.append(entry) }
            }
            return entries
        } catch {
            switch error.code {
            // A routing table that nobody has put a route into does not exist.
            case SystemError.noEntry: return []
            case _ where request.isIPv6 && Self.meansDisabled(error): report.hasIPv6 = false
            default: report.problems.append(error)
            }
            return nil
        }
    }

    /// Tries to change something; a failure goes into `report`.
    mutating func perform(
        _ operation: @autoclosure () -> String, _ request: NetlinkRequest,
        _ report: inout RouterReport
    ) {
        if let error = attempt(operation(), request, &report) { report.problems.append(error) }
    }

    /// A kernel or interface without IPv6 has no such setting, and needs none.
    mutating func withoutLinkLocalAddress(_ link: Link, _ report: inout RouterReport) {
        let error = attempt(
            "keep link-local addresses off \(link.name)",
            Link.noLinkLocalRequest(index: link.index), &report)
        if let error, !Self.meansDisabled(error) { report.problems.append(error) }
    }

    /// Nil when the change is made, or was already.
    private mutating func attempt(
        _ operation: @autoclosure () -> String, _ request: NetlinkRequest,
        _ report: inout RouterReport
    ) -> SystemError? {
        do throws(SystemError) {
            try socket.perform(operation(), request)
            report.changeCount += 1
            return nil
        } catch {
            return Self.isDone(request.type, error.code) ? nil : error
        }
    }

    private static func isDone(_ type: NetlinkType, _ code: Int32) -> Bool {
        switch type {
        case .newRule, .newAddress: code == SystemError.exists
        case .deleteRule: code == SystemError.noEntry
        case .deleteRoute: code == SystemError.noProcess
        case .deleteAddress: code == SystemError.addressUnavailable
        default: false
        }
    }

    /// What the kernel answers to requests about IPv6 where that is switched off or not built in.
    private static func meansDisabled(_ error: SystemError) -> Bool {
        [SystemError.accessDenied, SystemError.notSupported, SystemError.familyUnsupported]
            .contains(error.code)
    }
}

extension NetlinkRequest {
    fileprivate var isIPv6: Bool { payload.first == AddressFamily.v6.rawValue }
}
