public import CLinux
public import NetTypes

extension Endpoint {
    /// Nil when `address` is of no family.
    @inlinable
    package init?(_ address: clinux_address) {
        let bytes = address.address
        let high =
            UInt64(bytes.0) << 56 | UInt64(bytes.1) << 48 | UInt64(bytes.2) << 40
            | UInt64(bytes.3) << 32 | UInt64(bytes.4) << 24 | UInt64(bytes.5) << 16
            | UInt64(bytes.6) << 8 | UInt64(bytes.7)
        switch address.family {
        case 4:
            self.init(
                .v4(IPv4Address(bits: UInt32(truncatingIfNeeded: high >> 32))), port: address.port)
        case 6:
            let low =
                UInt64(bytes.8) << 56 | UInt64(bytes.9) << 48 | UInt64(bytes.10) << 40
                | UInt64(bytes.11) << 32 | UInt64(bytes.12) << 24 | UInt64(bytes.13) << 16
                | UInt64(bytes.14) << 8 | UInt64(bytes.15)
            self.init(.v6(IPv6Address(high: high, low: low)), port: address.port)
        default: return nil
        }
    }
}

extension clinux_address {
    /// Family 0 when there is no endpoint.
    @inlinable
    package init(_ endpoint: Endpoint?) {
        self.init()
        guard let endpoint else { return }
        port = endpoint.port
        unsafe withUnsafeMutableBytes(of: &address) { bytes in
            switch endpoint.address {
            case .v4(let value):
                unsafe bytes.storeBytes(of: value.bits.bigEndian, as: UInt32.self)
            case .v6(let value):
                unsafe bytes.storeBytes(of: value.high.bigEndian, as: UInt64.self)
                unsafe bytes.storeBytes(
                    of: value.low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
        }
        family = endpoint.address.isIPv4 ? 4 : 6
    }
}
