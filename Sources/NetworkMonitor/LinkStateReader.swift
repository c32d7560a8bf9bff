internal import LinuxIO
internal import NetTypes
internal import Netlink
internal import NetlinkSocket

/// Reads a `LinkState` from the kernel.
struct LinkStateReader: ~Copyable {
    /// An interface that is left out, ours.
    let ignored: String
    private var socket: NetlinkSocket

    init(ignoring ignored: String) throws(SystemError) {
        self.ignored = ignored
        socket = try NetlinkSocket()
    }

    mutating func read() throws(SystemError) -> LinkState {
        var links: [UInt32: Link] = [:]
        try socket.dump("list interfaces", Link.dumpRequest) {
            links = [:]
        } entry: { message in
            // Kinds of entries we do not know are none of ours.
            guard let link = try? Link(parsing: message.payload) else { return }
            links[link.index] = link
        }
        links = links.filter { $0.value.isUp && $0.value.name != ignored }
        var state = LinkState()
        for family in AddressFamily.allCases {
            do throws(SystemError) {
                state.addresses += try addresses(family, links)
                let route = try defaultRoute(family, links)
                switch family {
                case .v4:
                    state.defaultInterfaceV4 = route?.interface
                    state.gatewayV4 = route?.gateway
                case .v6:
                    state.defaultInterfaceV6 = route?.interface
                    state.gatewayV6 = route?.gateway
                }
            } catch {
                // Without IPv6 in the kernel its tables cannot be asked for.
                guard family == .v6 else { throw error }
            }
        }
        state.addresses.sort()
        return state
    }

    private mutating func addresses(
        _ family: AddressFamily, _ links: [UInt32: Link]
    ) throws(SystemError) -> [LinkState.Address] {
        var found: [LinkState.Address] = []
        try socket.dump("list IP\(family) addresses", InterfaceAddress.dumpRequest(family)) {
            found = []
        } entry: { message in
            // An entry in a form we do not know is none of ours.
            guard let address = try? InterfaceAddress(parsing: message.payload),
                let link = links[address.linkIndex], !address.isUnsteady
            else { return }
            found.append(LinkState.Address(interface: link.name, prefix: address.prefix))
        }
        return found
    }

    private mutating func defaultRoute(
        _ family: AddressFamily, _ links: [UInt32: Link]
    ) throws(SystemError) -> (interface: String, gateway: IPAddress?)? {
        var best: (metric: UInt32, name: String, gateway: IPAddress?)?
        let request = Route.dumpRequest(family, table: Route.mainTable)
        try socket.dump("list IP\(family) routes", request) {
            best = nil
        } entry: { message in
            // As above.
            guard let route = try? Route(parsing: message.payload), route.kind == .unicast,
                route.table == Route.mainTable, route.destination == family.everything,
                let index = route.linkIndex, let link = links[index]
            else { return }
            if best.map({ (route.metric, link.name) < ($0.metric, $0.name) }) ?? true {
                best = (route.metric, link.name, route.gateway)
            }
        }
        return best.map { ($0.name, $0.gateway) }
    }
}
