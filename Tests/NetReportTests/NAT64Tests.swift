import NetReport
import NetTypes
import Testing

@Suite("NAT64 addresses")
struct NAT64Tests {
    /// RFC 6052 §2.4.
    private static let vectors = [
        ("2001:db8::", 32, "2001:db8:c000:221::"),
        ("2001:db8:100::", 40, "2001:db8:1c0:2:21::"),
        ("2001:db8:122::", 48, "2001:db8:122:c000:2:2100::"),
        ("2001:db8:122:300::", 56, "2001:db8:122:3c0:0:221::"),
        ("2001:db8:122:344::", 64, "2001:db8:122:344:c0:2:2100::"),
        ("2001:db8:122:344::", 96, "2001:db8:122:344::c000:221"),
        ("64:ff9b::", 96, "64:ff9b::c000:221"),
    ]

    @Test("the vectors of RFC 6052 §2.4, both ways")
    func vectors() throws {
        for (prefix, length, outer) in Self.vectors {
            let prefix = try #require(NAT64Prefix(IPv6Address(prefix)!, length: length))
            let inner = IPv4Address(192, 0, 2, 33)
            #expect(prefix.synthesize(inner) == IPv6Address(outer)!, "/\(length)")
            #expect(prefix.extract(IPv6Address(outer)!) == inner, "/\(length)")
        }
    }

    @Test("every address survives the way there and back, and strangers are not taken for one")
    func roundTrip() throws {
        for (prefix, length, _) in Self.vectors {
            let prefix = try #require(NAT64Prefix(IPv6Address(prefix)!, length: length))
            for shift: UInt32 in 0..<32 {
                for pattern: UInt32 in [1, 0xFFFF_FFFF, 0xA5A5_A5A5] {
                    let inner = IPv4Address(bits: pattern << shift)
                    #expect(prefix.extract(prefix.synthesize(inner)) == inner)
                }
            }
            #expect(prefix.extract(IPv6Address("2001:db9::1")!) == nil)
            // Bits 64 to 71 and, but for /96, the suffix are zero.
            var odd = prefix.synthesize(IPv4Address(192, 0, 2, 33))
            odd.low |= 1 << 56
            #expect(prefix.extract(odd) == nil)
        }
    }

    @Test("a prefix is found in what ipv4only.arpa resolves to (RFC 7050), and only there")
    func discovery() throws {
        for (prefix, length, _) in Self.vectors {
            let prefix = try #require(NAT64Prefix(IPv6Address(prefix)!, length: length))
            for known in NAT64Prefix.knownIPv4 {
                #expect(NAT64Prefix(discoveredIn: prefix.synthesize(known)) == prefix)
            }
            #expect(NAT64Prefix(discoveredIn: prefix.synthesize(IPv4Address(8, 8, 8, 8))) == nil)
        }
        #expect(NAT64Prefix(discoveredIn: IPv6Address("2001:db8::1")!) == nil)
    }

    @Test("a prefix has one of six lengths and nothing set below it")
    func refusals() {
        #expect(NAT64Prefix(IPv6Address("64:ff9b::")!, length: 80) == nil)
        #expect(NAT64Prefix(IPv6Address("64:ff9b::1")!, length: 96) == nil)
        #expect(NAT64Prefix(IPv6Address("2001:db8:0:0:ff00::")!, length: 96) == nil)
        #expect(NAT64Prefix.wellKnown.description == "64:ff9b::/96")
    }
}
