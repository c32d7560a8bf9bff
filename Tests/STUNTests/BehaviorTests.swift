import NetTypes
import STUN
import Testing

/// A server with two addresses and two ports, as a request to its first sees it.
private let site = STUNSite(
    local: Endpoint("198.51.100.1:3478")!, alternatePort: 3479,
    alternateAddress: IPAddress("198.51.100.2"))

/// Answers with room for padding.
private func answer(
    _ request: [UInt8], at site: STUNSite?, from source: Endpoint = vectorEndpoint
) -> (bytes: [UInt8], reply: STUNServerLogic.Reply)? {
    var memory = [UInt8](repeating: 0xAA, count: 1_500)
    var span = memory.mutableSpan
    var raw = span.mutableBytes
    guard
        let reply = try? STUNServerLogic.respond(
            to: request.span.bytes, from: source, at: site, into: &raw)
    else { return nil }
    return (Array(memory.prefix(reply.byteCount)), reply)
}

@Suite("STUN behaviour discovery (RFC 5780)")
struct BehaviorTests {
    @Test("a plain client is told origin and other address, an official one nothing but its own")
    func attributes() throws {
        let plain = try #require(answer(message(type: 0x0001, []), at: site))
        let expected = message(
            type: 0x0101,
            [
                (0x0020, bytes("000183bbea12d545")), (0x0001, bytes("0001a2a9cb007107")),
                (0x802B, bytes("00010d96c6336401")), (0x802C, bytes("00010d97c6336402")),
            ])
        #expect(plain.bytes == expected)
        let official = try #require(answer(vectorRequest, at: site))
        #expect(official.bytes == vectorResponse)
        let parsed = try STUNResponse(plain.bytes.span.bytes)
        #expect(parsed.origin == site.local)
        #expect(parsed.other == Endpoint("198.51.100.2:3479"))
        #expect(parsed.mappedEndpoint == vectorEndpoint)
    }

    @Test("a change is made and named, and one that cannot be made gives 420")
    func change() throws {
        let origins: [(STUNChange, STUNSite?, String?)] = [
            ([], site, "198.51.100.1:3478"), (.port, site, "198.51.100.1:3479"),
            (.address, site, "198.51.100.2:3478"), ([.address, .port], site, "198.51.100.2:3479"),
            (.port, STUNSite(local: site.local, alternatePort: 9), "198.51.100.1:9"),
            ([], STUNSite(local: site.local, alternatePort: 9), "198.51.100.1:3478"),
            (.address, STUNSite(local: site.local, alternatePort: 9), nil),
            ([.address, .port], STUNSite(local: site.local, alternatePort: 9), nil),
            ([], STUNSite(local: site.local), nil), (.port, nil, nil),
        ]
        for (change, site, origin) in origins {
            let request = STUNRequest.encode(vectorID, change: change)
            let (bytes, reply) = try #require(answer(request, at: site))
            if let origin {
                let parsed = try STUNResponse(bytes.span.bytes)
                #expect(parsed.origin == Endpoint(origin))
                #expect(reply.origin == Endpoint(origin))
                #expect((parsed.other == nil) == (site?.alternateAddress == nil))
            } else {
                #expect(try STUNErrorResponse(bytes.span.bytes).code == 420)
                #expect(reply.origin == site?.local, "an error comes from where it was asked for")
                #expect(Array(bytes.suffix(8)) == [0, 0x0A, 0, 2, 0, 3, 0, 0])
            }
        }
    }

    @Test("a response port is on the same host, and excludes padding")
    func responsePort() throws {
        let port: (UInt16, [UInt8]) = (0x0027, [0x12, 0x34, 0, 0])
        let padding: (UInt16, [UInt8]) = (0x0026, Array(repeating: 0, count: 100))
        let answered = try #require(answer(message(type: 0x0001, [port]), at: site))
        #expect(answered.reply.destination == Endpoint("203.0.113.7:4660"))
        #expect(try STUNResponse(answered.bytes.span.bytes).mappedEndpoint == vectorEndpoint)
        let both = try #require(answer(message(type: 0x0001, [port, padding]), at: site))
        #expect(both.reply.destination == vectorEndpoint)
        #expect(try STUNErrorResponse(both.bytes.span.bytes).code == 400)
        let zero = message(type: 0x0001, [(0x0027, [0, 0, 0, 0])])
        #expect(answer(zero, at: site) == nil)
        let short = message(type: 0x0001, [(0x0003, [0, 2])])
        #expect(answer(short, at: site) == nil)
    }

    @Test("padding is answered by as much, and by no more than there is room for")
    func padding() throws {
        for (asked, given) in [(0, 0), (4, 4), (101, 100), (1_000, 1_000), (1_996, 1_428)] {
            let request = message(
                type: 0x0001, [(0x0026, Array(repeating: 7, count: asked))])
            let (bytes, reply) = try #require(answer(request, at: site))
            #expect(reply.byteCount == 68 + (given == 0 ? 0 : 4 + given))
            #expect(try STUNResponse(bytes.span.bytes).mappedEndpoint == vectorEndpoint)
        }
    }

    @Test("with its headers no answer is more than 2.1 times its request, whatever that asks for")
    func amplification() throws {
        let far = STUNSite(
            local: Endpoint("[2001:db8::1]:3478")!, alternatePort: 3479,
            alternateAddress: IPAddress("2001:db8::2"))
        let sources = [(vectorEndpoint, site, 28), (Endpoint("[2001:db8::9]:7")!, far, 48)]
        let change: (UInt16, [UInt8]) = (0x0003, [0, 0, 0, 6])
        var lists: [[(UInt16, [UInt8])]] = [
            [], [change], [(0x8022, Array("x".utf8))], [(0x0027, [0, 9, 0, 0])],
            [(0x0026, Array(repeating: 0, count: 1_200))], [(0x0026, [])],
        ]
        lists += (1...40).map { count in (0..<count).map { (UInt16(0x7000 + $0), []) } }
        for (source, site, headers) in sources {
            for list in lists {
                let request = message(type: 0x0001, list)
                let (bytes, _) = try #require(answer(request, at: site, from: source))
                #expect(10 * (bytes.count + headers) <= 21 * (request.count + headers))
            }
        }
    }

    @Test("our request for a change is 48 bytes with a right fingerprint at the end")
    func request() throws {
        let request = STUNRequest.encode(vectorID, change: [.address, .port])
        #expect(request.count == 48)
        #expect(Array(request[20..<28]) == bytes("0003000400000006"))
        var damaged = request
        damaged[47] ^= 1
        #expect(answer(damaged, at: site) == nil)
        let ids = [request, vectorResponse].map { STUNRequest.transactionID(of: $0.span.bytes) }
        #expect(ids == [vectorID, nil])
    }
}
