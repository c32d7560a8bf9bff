package import NetTypes

extension IPAddress {
    var networkBytes: [UInt8] {
        var bytes: [UInt8] = []
        switch self {
        case .v4(let address): bytes.appendBigEndian(address.bits)
        case .v6(let address): bytes.append(address)
        }
        return bytes
    }
    var family: AddressFamily { isIPv4 ? .v4 : .v6 }
}

/// `AF_INET` and `AF_INET6`.
package enum AddressFamily: UInt8, Hashable, CaseIterable, Sendable {
    case v4 = 2
    case v6 = 10

    var bitWidth: Int { self == .v4 ? 32 : 128 }
    /// 0.0.0.0/0 or ::/0.
    package var everything: IPPrefix {
        self == .v4
            ? IPPrefix(.v4(.any), length: 0) : IPPrefix(.v6(.any), length: 0)
    }

    init(parsing byte: UInt8) throws(NetlinkError) {
        guard let family = Self(rawValue: byte) else { throw .badAddress }
        self = family
    }
    /// `address` when it is of this family.
    func checked(_ address: IPAddress?) throws(NetlinkError) -> IPAddress? {
        guard let address else { return nil }
        guard address.family == self else { throw .badAddress }
        return address
    }
    func prefix(_ address: IPAddress?, length: UInt8) throws(NetlinkError) -> IPPrefix {
        guard Int(length) <= bitWidth else { throw .badLength(Int(length)) }
        return IPPrefix(try checked(address) ?? everything.address, length: Int(length))
    }
}
