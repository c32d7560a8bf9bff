package import NetTypes

/// An address of an interface (`struct ifaddrmsg`):
///
///     family u8 | prefix length u8 | flags u8 | scope u8 | interface index u32
package struct InterfaceAddress: Hashable, Sendable {
    package var linkIndex: UInt32
    /// The address and the length of its on-link prefix.
    package var prefix: IPPrefix
    /// Only meaningful on its own link.
    package var isLinkScope: Bool
    /// Not to be used as a source: tentative or failed duplicate detection, deprecated, or one of
    /// the random ones that are given up after a day.
    package var isUnsteady: Bool

    private enum Flag {
        /// IPv4 has the same bit for every address of a network but the first.
        static var temporary: UInt32 { 0x01 }
        /// Assigned at once, without asking the link whether somebody has it.
        static var noDuplicateDetection: UInt32 { 0x02 }
        static var duplicate: UInt32 { 0x08 }
        static var deprecated: UInt32 { 0x20 }
        static var tentative: UInt32 { 0x40 }
        /// Its prefix becomes no route.
        static var noPrefixRoute: UInt32 { 0x200 }
    }
    private enum AttributeType {
        static var address: UInt16 { 1 }
        static var local: UInt16 { 2 }
        static var flags: UInt16 { 8 }
    }
    private static var headerByteCount: Int { 8 }
    /// `RT_SCOPE_LINK`; larger is narrower.
    private static var linkScope: UInt8 { 253 }

    package init(linkIndex: UInt32, prefix: IPPrefix) {
        self.linkIndex = linkIndex
        self.prefix = prefix
        isLinkScope = false
        isUnsteady = false
    }

    package init(parsing payload: RawSpan) throws(NetlinkError) {
        guard payload.byteCount >= Self.headerByteCount else {
            throw .truncated(needed: Self.headerByteCount, have: payload.byteCount)
        }
        let family = try AddressFamily(parsing: payload.byte(at: 0))
        let length = payload.byte(at: 1)
        var flags = UInt32(payload.byte(at: 2))
        isLinkScope = payload.byte(at: 3) >= Self.linkScope
        linkIndex = payload.littleEndian(at: 4)
        var local: IPAddress?
        var address: IPAddress?
        var attributes = AttributeReader(payload, after: Self.headerByteCount)
        while let attribute = try attributes.next() {
            switch attribute.type {
            // On a point-to-point link `address` is the other end.
            case AttributeType.local: local = attribute.address
            case AttributeType.address: address = attribute.address
            case AttributeType.flags: flags = attribute.number ?? flags
            default: break
            }
        }
        guard let found = local ?? address else { throw .badAddress }
        prefix = try family.prefix(found, length: length)
        var unsteady = Flag.duplicate | Flag.deprecated | Flag.tentative
        if family == .v6 { unsteady |= Flag.temporary }
        isUnsteady = flags & unsteady != 0
    }

    package static func dumpRequest(_ family: AddressFamily) -> NetlinkRequest {
        NetlinkRequest(
            .getAddress, flags: .dump, header: [family.rawValue, 0, 0, 0, 0, 0, 0, 0])
    }

    package var addRequest: NetlinkRequest {
        request(.newAddress, [.acknowledge, .create, .replace])
    }
    package var deleteRequest: NetlinkRequest { request(.deleteAddress, .acknowledge) }

    private func request(_ type: NetlinkType, _ flags: NetlinkFlags) -> NetlinkRequest {
        var header = [prefix.address.family.rawValue, prefix.length, 0, 0]
        header.appendLittleEndian(linkIndex)
        var request = NetlinkRequest(type, flags: flags, header: header)
        request.append(attribute: AttributeType.local, address: prefix.address)
        request.append(attribute: AttributeType.address, address: prefix.address)
        if type == .newAddress {
            request.append(
                attribute: AttributeType.flags,
                number: Flag.noDuplicateDetection | Flag.noPrefixRoute)
        }
        return request
    }
}
