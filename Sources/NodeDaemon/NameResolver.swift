import Glibc
import NIOPosix
import NetReport
import NetTypes

/// The first address of each family that a host name has.
struct ResolvedName: Hashable, Sendable {
    var ipv4: IPv4Address?
    var ipv6: IPv6Address?
}

enum NameResolver {
    /// Asks the system's resolver, which may take seconds, on a thread made for waiting. Nil when
    /// the name has no address or no name server answers.
    static func resolve(_ name: String) async -> ResolvedName? {
        // The pool refuses work only while the process ends.
        (try? await NIOThreadPool.singleton.runIfActive { lookUp(name) }) ?? nil
    }

    /// The prefix of this network's NAT64, from what the name `ipv4only.arpa` is given as IPv6
    /// address (RFC 7050); nil where there is none.
    static func nat64Prefix() async -> NAT64Prefix? {
        await resolve("ipv4only.arpa")?.ipv6.flatMap { NAT64Prefix(discoveredIn: $0) }
    }

    private static func lookUp(_ name: String) -> ResolvedName? {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(name, nil, &hints, &list) == 0 else { return nil }
        defer { freeaddrinfo(list) }
        var result = ResolvedName()
        var next = list
        while let entry = next {
            defer { next = entry.pointee.ai_next }
            guard let address = entry.pointee.ai_addr else { continue }
            if entry.pointee.ai_family == AF_INET, result.ipv4 == nil {
                address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                    result.ipv4 = IPv4Address(bits: UInt32(bigEndian: $0.pointee.sin_addr.s_addr))
                }
            } else if entry.pointee.ai_family == AF_INET6, result.ipv6 == nil {
                address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { pointer in
                    withUnsafeBytes(of: pointer.pointee.sin6_addr) { bytes in
                        result.ipv6 = IPv6Address(
                            high: UInt64(bigEndian: bytes.load(as: UInt64.self)),
                            low: UInt64(
                                bigEndian: bytes.load(fromByteOffset: 8, as: UInt64.self)))
                    }
                }
            }
        }
        return result.ipv4 == nil && result.ipv6 == nil ? nil : result
    }
}
