internal import NetTypes

/// A rule that says which routing table is asked for which packets (`struct fib_rule_hdr`):
///
///     family u8 | destination length u8 | source length u8 | TOS u8
///     table u8 | reserved u8 ×2 | action u8 | flags u32
package struct RoutingRule: Hashable, Sendable {
    package enum Action: Hashable, Sendable {
        case lookUp(table: UInt32)
        case unreachable
        /// The kernel's number.
        case other(UInt8)
    }
    /// Packets whose mark has `value` in the bits of `mask`.
    package struct Mark: Hashable, Sendable {
        package var value: UInt32
        package var mask: UInt32
        package init(value: UInt32, mask: UInt32) {
            self.value = value
            self.mask = mask
        }
    }

    package var family: AddressFamily
    /// Rules are asked in rising order.
    package var priority: UInt32
    /// Nil: all packets.
    package var mark: Mark?
    package var action: Action
    /// Who made the rule; see `RouteOrigin`. 0 when the kernel is too old to know.
    package var origin: UInt8

    private enum AttributeType {
        static var priority: UInt16 { 6 }
        static var mark: UInt16 { 10 }
        static var table: UInt16 { 15 }
        static var markMask: UInt16 { 16 }
        static var origin: UInt16 { 21 }
    }
    private enum ActionNumber {
        static var lookUp: UInt8 { 1 }
        static var unreachable: UInt8 { 7 }
    }
    private static var headerByteCount: Int { 12 }

    package init(
        _ family: AddressFamily, priority: UInt32, mark: Mark? = nil, action: Action, origin: UInt8
    ) {
        self.family = family
        self.priority = priority
        self.mark = mark
        self.action = action
        self.origin = origin
    }

    package init(parsing payload: RawSpan) throws(NetlinkError) {
        guard payload.byteCount >= Self.headerByteCount else {
            throw .truncated(needed: Self.headerByteCount, have: payload.byteCount)
        }
        family = try AddressFamily(parsing: payload.byte(at: 0))
        var table = UInt32(payload.byte(at: 4))
        priority = 0
        origin = 0
        var value: UInt32 = 0
        var mask: UInt32 = 0
        var attributes = AttributeReader(payload, after: Self.headerByteCount)
        while let attribute = try attributes.next() {
            switch attribute.type {
            case AttributeType.priority: priority = attribute.number ?? 0
            case AttributeType.mark: value = attribute.number ?? 0
            case AttributeType.markMask: mask = attribute.number ?? 0
            case AttributeType.table: table = attribute.number ?? table
            case AttributeType.origin where attribute.value.byteCount == 1:
                origin = attribute.value.byte(at: 0)
            default: break
            }
        }
        mark = mask == 0 ? nil : Mark(value: value, mask: mask)
        action =
            switch payload.byte(at: 7) {
            case ActionNumber.lookUp: .lookUp(table: table)
            case ActionNumber.unreachable: .unreachable
            case let number: .other(number)
            }
    }

    package static func dumpRequest(_ family: AddressFamily) -> NetlinkRequest {
        NetlinkRequest(
            .getRule, flags: .dump, header: [family.rawValue] + [UInt8](repeating: 0, count: 11))
    }

    package var addRequest: NetlinkRequest {
        request(.newRule, [.acknowledge, .create, .exclusive])
    }
    package var deleteRequest: NetlinkRequest { request(.deleteRule, .acknowledge) }

    private func request(_ type: NetlinkType, _ flags: NetlinkFlags) -> NetlinkRequest {
        var table: UInt32 = 0
        let number: UInt8
        switch action {
        case .lookUp(let asked):
            table = asked
            number = ActionNumber.lookUp
        case .unreachable: number = ActionNumber.unreachable
        case .other(let other): number = other
        }
        var header: [UInt8] = [
            family.rawValue, 0, 0, 0, table < 256 ? UInt8(table) : 0, 0, 0, number,
        ]
        header.appendLittleEndian(0 as UInt32)
        var request = NetlinkRequest(type, flags: flags, header: header)
        request.append(attribute: AttributeType.priority, number: priority)
        if let mark {
            request.append(attribute: AttributeType.mark, number: mark.value)
            request.append(attribute: AttributeType.markMask, number: mark.mask)
        }
        if table != 0 { request.append(attribute: AttributeType.table, number: table) }
        if origin != 0 { request.append(attribute: AttributeType.origin, [origin]) }
        return request
    }
}
