import Glibc
import NetTypes

/// The addresses of this machine.
struct LinkState: Equatable, Sendable {
    /// Those at which peers may reach us, best first.
    var candidateAddresses: [IPAddress] = []
    var hasIPv6 = false
}

final class LinkMonitor: Sendable {
    let current: LinkState

    init(ignoring: String?, port: UInt16, onChange: @escaping @Sendable (LinkState) -> Void) throws
    {
        var state = LinkState()
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else {
            current = state
            return
        }
        defer { freeifaddrs(list) }
        var next = list
        while let entry = next {
            defer { next = entry.pointee.ifa_next }
            guard let address = entry.pointee.ifa_addr,
                String(cString: entry.pointee.ifa_name) != ignoring
            else { continue }
            var found: IPAddress?
            if address.pointee.sa_family == sa_family_t(AF_INET) {
                address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                    found = .v4(IPv4Address(bits: UInt32(bigEndian: $0.pointee.sin_addr.s_addr)))
                }
            } else if address.pointee.sa_family == sa_family_t(AF_INET6) {
                address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { pointer in
                    withUnsafeBytes(of: pointer.pointee.sin6_addr) { bytes in
                        found = .v6(
                            IPv6Address(
                                high: UInt64(bigEndian: bytes.load(as: UInt64.self)),
                                low: UInt64(
                                    bigEndian: bytes.load(fromByteOffset: 8, as: UInt64.self))))
                    }
                }
            }
            guard let found, !found.isLoopback, !found.isLinkLocal else { continue }
            if found.isIPv6 { state.hasIPv6 = true }
            state.candidateAddresses.append(found)
        }
        current = state
    }
    func stop() {}
}
