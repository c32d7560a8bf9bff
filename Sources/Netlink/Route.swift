package import NetTypes

/// A route (`struct rtmsg`):
///
///     family u8 | destination length u8 | source length u8 | TOS u8
///     table u8 | protocol u8 | scope u8 | type u8 | flags u32
package struct Route: Hashable, Sendable {
    /// What becomes of a packet that matches.
    package enum Kind: Hashable, Sendable {
        case unicast
        /// As if the table had no route: the next rule is asked.
        case throwToNextRule
        /// Local, broadcast, multicast, unreachable, …; the kernel's number.
        case other(UInt8)
    }

    package var destination: IPPrefix
    package var table: UInt32
    package var kind: Kind
    /// The interface packets leave by, where there is just one.
    package var linkIndex: UInt32?
    package var gateway: IPAddress?
    /// Among routes to one destination the smallest counts.
    package var metric: UInt32
    /// Who made the route; see `RouteOrigin`.
    package var origin: UInt8

    package static var mainTable: UInt32 { 254 }
    package static var defaultTable: UInt32 { 253 }

    private enum AttributeType {
        static var destination: UInt16 { 1 }
        static var outputLink: UInt16 { 4 }
        static var gateway: UInt16 { 5 }
        static var metric: UInt16 { 6 }
        static var multipath: UInt16 { 9 }
        static var table: UInt16 { 15 }
    }
    private enum KindNumber {
        static var unicast: UInt8 { 1 }
        static var throwToNextRule: UInt8 { 9 }
    }
    private enum Scope {
        static var universe: UInt8 { 0 }
        static var link: UInt8 { 253 }
    }
    private static var headerByteCount: Int { 12 }
    /// `RTM_F_CLONED`: a cached result of a lookup, not a route.
    private static var clonedFlag: UInt32 { 0x200 }

    package init(
        _ destination: IPPrefix, table: UInt32, kind: Kind = .unicast, linkIndex: UInt32? = nil,
        origin: UInt8
    ) {
        self.destination = destination
        self.table = table
        self.kind = kind
        self.linkIndex = linkIndex
        gateway = nil
        metric = 0
        self.origin = origin
    }

    package init(parsing payload: RawSpan) throws(NetlinkError) {
        guard payload.byteCount >= Self.headerByteCount else {
            throw .truncated(needed: Self.headerByteCount, have: payload.byteCount)
        }
        let family = try AddressFamily(parsing: payload.byte(at: 0))
        let length = payload.byte(at: 1)
        table = UInt32(payload.byte(at: 4))
        origin = payload.byte(at: 5)
        let isCloned = payload.littleEndian(at: 8, as: UInt32.self) & Self.clonedFlag != 0
        kind =
            switch payload.byte(at: 7) {
            case KindNumber.unicast where !isCloned: .unicast
            case KindNumber.throwToNextRule: .throwToNextRule
            case let number: .other(number)
            }
        metric = 0
        var address: IPAddress?
        var attributes = AttributeReader(payload, after: Self.headerByteCount)
        while let attribute = try attributes.next() {
            switch attribute.type {
            case AttributeType.destination: address = attribute.address
            case AttributeType.outputLink: linkIndex = attribute.number
            case AttributeType.gateway: gateway = attribute.address
            case AttributeType.metric: metric = attribute.number ?? 0
            case AttributeType.table: table = attribute.number ?? table
            case AttributeType.multipath:
                linkIndex = linkIndex ?? Self.firstHop(attribute.value)
            default: break
            }
        }
        destination = try family.prefix(address, length: length)
    }

    /// The interface of the first next hop (`struct rtnexthop`: length u16, flags u8, hops u8,
    /// index i32).
    private static func firstHop(_ value: RawSpan) -> UInt32? {
        value.byteCount >= 8 ? value.littleEndian(at: 4) : nil
    }

    /// Asks for the routes of one table. An old kernel sends those of all tables.
    package static func dumpRequest(_ family: AddressFamily, table: UInt32) -> NetlinkRequest {
        var header = [UInt8](repeating: 0, count: headerByteCount)
        header[0] = family.rawValue
        header[4] = table < 256 ? UInt8(table) : 0
        var request = NetlinkRequest(.getRoute, flags: .dump, header: header)
        request.append(attribute: AttributeType.table, number: table)
        return request
    }

    package var addRequest: NetlinkRequest {
        request(.newRoute, [.acknowledge, .create, .replace])
    }
    package var deleteRequest: NetlinkRequest { request(.deleteRoute, .acknowledge) }

    private func request(_ type: NetlinkType, _ flags: NetlinkFlags) -> NetlinkRequest {
        let kindNumber: UInt8 =
            switch kind {
            case .unicast: KindNumber.unicast
            case .throwToNextRule: KindNumber.throwToNextRule
            case .other(let number): number
            }
        let isOnLink = kind == .unicast && gateway == nil && destination.address.isIPv4
        var header: [UInt8] = [
            destination.address.family.rawValue, destination.length, 0, 0,
            table < 256 ? UInt8(table) : 0, origin, isOnLink ? Scope.link : Scope.universe,
            kindNumber,
        ]
        header.appendLittleEndian(0 as UInt32)
        var request = NetlinkRequest(type, flags: flags, header: header)
        request.append(
            attribute: AttributeType.destination, address: destination.masked.address)
        request.append(attribute: AttributeType.table, number: table)
        if let linkIndex {
            request.append(attribute: AttributeType.outputLink, number: linkIndex)
        }
        if let gateway { request.append(attribute: AttributeType.gateway, address: gateway) }
        if metric != 0 { request.append(attribute: AttributeType.metric, number: metric) }
        return request
    }
}

/// Who made a route or a rule (`rtm_protocol`): how we know our own again.
package enum RouteOrigin {
    package static var kernel: UInt8 { 2 }
    /// Ours: a number nobody has a name for.
    package static var skein: UInt8 { 83 }
}
