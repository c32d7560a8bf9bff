internal import NetTypes

/// A network interface (`struct ifinfomsg`):
///
///     family u8 | padding u8 | hardware type u16 | index i32 | flags u32 | change mask u32
package struct Link: Equatable, Sendable {
    package var index: UInt32
    package var name: String
    package var mtu: UInt32
    /// `IFF_UP`: an administrator wants it up.
    package var isUp: Bool
    /// `IFF_RUNNING`: it can carry packets.
    package var isRunning: Bool
    package var isLoopback: Bool

    private enum Flag {
        static var up: UInt32 { 0x1 }
        static var loopback: UInt32 { 0x8 }
        static var running: UInt32 { 0x40 }
    }
    private enum AttributeType {
        static var name: UInt16 { 3 }
        static var mtu: UInt16 { 4 }
        static var addressFamilies: UInt16 { 26 }
        static var addressGeneration: UInt16 { 8 }
    }
    private static var generateNone: UInt8 { 1 }
    private static var headerByteCount: Int { 16 }

    package init(parsing payload: RawSpan) throws(NetlinkError) {
        guard payload.byteCount >= Self.headerByteCount else {
            throw .truncated(needed: Self.headerByteCount, have: payload.byteCount)
        }
        index = payload.littleEndian(at: 4)
        let flags = payload.littleEndian(at: 8, as: UInt32.self)
        isUp = flags & Flag.up != 0
        isRunning = flags & Flag.running != 0
        isLoopback = flags & Flag.loopback != 0
        name = ""
        mtu = 0
        var attributes = AttributeReader(payload, after: Self.headerByteCount)
        while let attribute = try attributes.next() {
            switch attribute.type {
            case AttributeType.name: name = attribute.text ?? ""
            case AttributeType.mtu: mtu = attribute.number ?? 0
            default: break
            }
        }
    }

    package static var dumpRequest: NetlinkRequest {
        NetlinkRequest(.getLink, flags: .dump, header: header(index: 0, flags: 0, change: 0))
    }

    /// Takes the interface up or down.
    package static func stateRequest(index: UInt32, isUp: Bool) -> NetlinkRequest {
        NetlinkRequest(
            .newLink, flags: .acknowledge,
            header: header(index: index, flags: isUp ? Flag.up : 0, change: Flag.up))
    }

    package static func mtuRequest(index: UInt32, mtu: UInt32) -> NetlinkRequest {
        var request = NetlinkRequest(
            .newLink, flags: .acknowledge, header: header(index: index, flags: 0, change: 0))
        request.append(attribute: AttributeType.mtu, number: mtu)
        return request
    }

    /// Keeps the kernel from giving the interface a link-local address of its own
    /// (`IFLA_INET6_ADDR_GEN_MODE`), with which it would look for routers for ever.
    package static func noLinkLocalRequest(index: UInt32) -> NetlinkRequest {
        var request = NetlinkRequest(
            .newLink, flags: .acknowledge, header: header(index: index, flags: 0, change: 0))
        func attribute(_ type: UInt16, _ value: [UInt8]) -> [UInt8] {
            var bytes: [UInt8] = []
            bytes.appendLittleEndian(UInt16(4 + value.count))
            bytes.appendLittleEndian(type)
            bytes += value
            return bytes + [UInt8](repeating: 0, count: -bytes.count & 3)
        }
        let mode = attribute(AttributeType.addressGeneration, [generateNone])
        request.append(
            attribute: AttributeType.addressFamilies,
            attribute(UInt16(AddressFamily.v6.rawValue), mode))
        return request
    }

    private static func header(index: UInt32, flags: UInt32, change: UInt32) -> [UInt8] {
        var bytes: [UInt8] = [0, 0, 0, 0]
        bytes.appendLittleEndian(index)
        bytes.appendLittleEndian(flags)
        bytes.appendLittleEndian(change)
        return bytes
    }
}
