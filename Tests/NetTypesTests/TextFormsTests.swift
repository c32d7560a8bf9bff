import NetTypes
import Testing

@Suite("text forms")
struct TextFormsTests {
    @Test(arguments: [
        ("::", "::"), ("::1", "::1"), ("fd7a:115c:a1e0::1", "fd7a:115c:a1e0::1"),
        ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("2001:db8::0:1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.1"), ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
        ("1:0:3:4:5:6:7:8", "1:0:3:4:5:6:7:8"), ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"),
        ("1::", "1::"),
    ])
    func ipv6IsCanonical(text: String, canonical: String) throws {
        let address = try #require(IPv6Address(text))
        #expect(address.description == canonical)
        #expect(IPv6Address(canonical) == address)
    }

    @Test(arguments: [
        "", ":", ":::", "1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::", "g::",
        "1:2:3:4:5:6:7:8::", "1:", "::1%eth0", "::1.2.3", "1.2.3.4", "::1.2.3.4:5", "+1::",
    ])
    func ipv6RejectsOtherText(text: String) { #expect(IPv6Address(text) == nil) }

    @Test(arguments: [
        "", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1..3.4", " 1.2.3.4", "1.2.3.x",
    ])
    func ipv4RejectsOtherText(text: String) { #expect(IPv4Address(text) == nil) }

    @Test func prefixesContainWhatTheyShould() throws {
        let cgnat = try #require(IPPrefix("100.64.0.0/10"))
        #expect(cgnat.contains(.v4(IPv4Address(100, 127, 255, 255))))
        #expect(!cgnat.contains(.v4(IPv4Address(100, 128, 0, 0))))
        let everything = try #require(IPPrefix("0.0.0.0/0"))
        #expect(everything.contains(cgnat))
        #expect(!cgnat.contains(everything))
        let ula = try #require(IPPrefix("fd7a:115c:a1e0::/48"))
        #expect(ula.contains(try #require(IPAddress("fd7a:115c:a1e0:ffff::1"))))
        #expect(!ula.contains(try #require(IPAddress("fd7a:115c:a1e1::1"))))
        #expect(
            try #require(IPPrefix("fd7a:115c:a1e0::5/127")).masked.description
                == "fd7a:115c:a1e0::4/127")
        #expect(IPPrefix("10.0.0.0/33") == nil)
        #expect(IPPrefix("10.0.0.0/") == nil)
        #expect(IPPrefix("10.0.0.0/08") == nil)
        #expect(IPPrefix("10.0.0.0") == nil)
    }

    @Test(arguments: ["192.0.2.1:41641", "[2001:db8::1]:1", "[::]:65535"])
    func endpointsRoundTrip(text: String) { #expect(Endpoint(text)?.description == text) }

    @Test(arguments: [
        "", "192.0.2.1", "2001:db8::1:80", "[192.0.2.1]:80", "1.2.3.4:65536", "1.2.3.4:-1",
        "1.2.3.4:",
    ])
    func endpointsRejectOtherText(text: String) { #expect(Endpoint(text) == nil) }

    @Test(arguments: [
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", -62_135_596_800),
        ("1970-01-01T00:02:03Z", "1970-01-01T00:02:03Z", 123),
        ("2026-11-23T19:55:18.233022679Z", "2026-11-23T19:55:18.233022679Z", 1_795_463_718),
        ("2024-02-29T23:59:59.500Z", "2024-02-29T23:59:59.5Z", 1_709_251_199),
        ("2024-03-01t01:00:00+01:00", "2024-03-01T00:00:00Z", 1_709_251_200),
    ])
    func timestampsRoundTrip(text: String, canonical: String, seconds: Int64) throws {
        let timestamp = try #require(Timestamp(rfc3339: text))
        #expect(timestamp.unixSeconds == seconds)
        #expect(timestamp.description == canonical)
    }

    @Test(arguments: [
        "", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:00", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00Zx",
    ])
    func timestampsRejectOtherText(text: String) { #expect(Timestamp(rfc3339: text) == nil) }

    @Test func keysRoundTripAndKeepTheirKind() throws {
        let text = "nodekey:830456627c3af22bea5a6c5538979f052b72db423bff532a87a0d06a3907f97b"
        let key = try #require(NodeKey(text))
        #expect(key.description == text)
        #expect(NodeKey(text.replacing("nodekey:83", with: "nodekey:8A")) != nil)
        #expect(MachineKey(text) == nil)
        #expect(NodeKey("") == nil)
        #expect(NodeKey(String(text.dropLast())) == nil)
        #expect(NodeKey(text + "0") == nil)
        #expect(NodeKey.zero.description == "nodekey:" + String(repeating: "0", count: 64))
    }

    @Test func readerReportsTruncation() throws {
        let bytes: [UInt8] = [1, 2, 3]
        var reader = ByteReader(bytes.span.bytes)
        #expect(try reader.readBigEndian(as: UInt16.self) == 0x0102)
        var caught: TruncatedInput?
        do throws(TruncatedInput) { _ = try reader.readBigEndian(as: UInt16.self) } catch {
            caught = error
        }
        #expect(caught == TruncatedInput(needed: 2, have: 1))
        #expect(reader.remaining == 1)
    }
}
