import CryptoPrimitives
import Disco
import NetTypes
import PeerRelay
import SimulatedNetwork
import Testing

@Suite("peer relay server")
struct PeerRelayServerTests {
    @Test("two clients bind, and packets of each go to the other")
    func forwards() throws {
        var server = makeServer()
        let pair = try BoundPair(&server)
        #expect(pair.offer.server == server.key.publicKey)
        #expect(pair.offer.endpoints == [serverEndpoint])
        #expect(pair.offer.bindLifetime == .seconds(30))
        #expect(pair.offer.steadyStateLifetime == .minutes(5))
        let packet = data(pair.offer.virtualNetwork)
        let onward = server.handle(packet.span.bytes, from: pair.here, at: start)
        let back = server.handle(packet.span.bytes, from: pair.there, at: start)
        #expect(onward == .forward(to: pair.there))
        #expect(back == .forward(to: pair.here))
        let ping = data(pair.offer.virtualNetwork, .disco)
        let forwarded = server.handle(ping.span.bytes, from: pair.here, at: start)
        #expect(forwarded == .forward(to: pair.there))
        let counters = server.counters
        #expect(counters.forwardedPackets == 3)
        #expect(counters.forwardedBytes == 3 * 108)
        #expect(counters.binds == 2)
    }

    @Test("a client that is asked for by IPv4 and one by IPv6 meet")
    func families() throws {
        var server = makeServer()
        var one = Client()
        var two = Client()
        let offer = try server.allocate(
            clients: [two.disco, one.disco], requester: one.disco, at: start)
        let other = Endpoint("[2001:db8::2]:41641")!
        #expect(one.bind(&server, offer, from: endpoint(1), at: start))
        #expect(two.bind(&server, offer, from: other, at: start))
        let verdict = server.handle(
            data(offer.virtualNetwork).span.bytes, from: other, at: start)
        #expect(verdict == .forward(to: endpoint(1)))
    }

    @Test("nothing is forwarded before both have bound")
    func halfBound() throws {
        var server = makeServer()
        var one = Client()
        let two = Client()
        let offer = try server.allocate(
            clients: [one.disco, two.disco], requester: one.disco, at: start)
        #expect(one.bind(&server, offer, from: endpoint(1), at: start))
        let verdict = server.handle(
            data(offer.virtualNetwork).span.bytes, from: endpoint(1), at: start)
        #expect(verdict == .drop(.notBound))
    }

    @Test("the same pair gets the same allocation, another pair a later one")
    func again() throws {
        var server = makeServer()
        let (one, two, three) = (Client(), Client(), Client())
        let first = try server.allocate(
            clients: [one.disco, two.disco], requester: one.disco, at: start)
        let second = try server.allocate(
            clients: [two.disco, one.disco], requester: two.disco, at: start + .seconds(1))
        let other = try server.allocate(
            clients: [one.disco, three.disco], requester: one.disco, at: start + .seconds(1))
        #expect(first == second)
        #expect(first.clients == [one.disco, two.disco].sorted())
        #expect(other.virtualNetwork != first.virtualNetwork)
        #expect(other.lamportID > first.lamportID)
    }

    @Test("an allocation that both do not bind ends after 30 s, a silent one after five minutes")
    func lifetimes() throws {
        var server = makeServer()
        let (one, two) = (Client(), Client())
        let unbound = try server.allocate(
            clients: [one.disco, two.disco], requester: one.disco, at: start)
        let pair = try BoundPair(&server)
        let packet = data(pair.offer.virtualNetwork)
        var now = start
        for _ in 0..<3 {
            now = now + .seconds(299)
            let verdict = server.handle(packet.span.bytes, from: pair.here, at: now)
            #expect(verdict == .forward(to: pair.there))
        }
        let late = try server.allocate(
            clients: [one.disco, two.disco], requester: one.disco, at: now)
        #expect(late.virtualNetwork != unbound.virtualNetwork)
        #expect(late.lamportID > unbound.lamportID)
        now = now + .seconds(301)
        let verdict = server.handle(packet.span.bytes, from: pair.here, at: now)
        #expect(verdict == .drop(.unknownNetwork))
        let again = try server.allocate(
            clients: [pair.one.disco, pair.two.disco], requester: pair.one.disco, at: now)
        #expect(again.lamportID > pair.offer.lamportID)
    }

    @Test("what has expired is forgotten by the timer, which then rests")
    func sweep() throws {
        var server = makeServer()
        #expect(server.nextDeadline == nil)
        let pair = try BoundPair(&server)
        var now = start
        var rounds = 0
        while let due = server.nextDeadline, rounds < 100 {
            now = due
            server.handleTimeout(at: now)
            rounds += 1
        }
        let count = server.allocationCount
        #expect(count == 0)
        #expect(now - start <= .seconds(331))
        let verdict = server.handle(
            data(pair.offer.virtualNetwork).span.bytes, from: pair.here, at: now)
        #expect(verdict == .drop(.unknownNetwork))
    }

    @Test("a client that has moved binds its new address, and the old one is no longer served")
    func roams() throws {
        var server = makeServer()
        var pair = try BoundPair(&server)
        let packet = data(pair.offer.virtualNetwork)
        let moved = endpoint(77, port: 1024)
        let early = server.handle(packet.span.bytes, from: moved, at: start)
        #expect(early == .drop(.unknownSource))
        let isBound = pair.one.bind(
            &server, pair.offer, from: moved, generation: 2, at: start + .seconds(60))
        #expect(isBound)
        let now = start + .seconds(60)
        let fresh = server.handle(packet.span.bytes, from: moved, at: now)
        let back = server.handle(packet.span.bytes, from: pair.there, at: now)
        let stale = server.handle(packet.span.bytes, from: pair.here, at: now)
        #expect(fresh == .forward(to: pair.there))
        #expect(back == .forward(to: moved))
        #expect(stale == .drop(.unknownSource))
    }

    @Test("virtual networks run on past the last number and pass over those in use")
    func networkNumbers() throws {
        var server = makeServer()
        var seen: Set<UInt32> = []
        let one = Client()
        for _ in 0..<200 {
            let offer = try server.allocate(
                clients: [one.disco, Client().disco], requester: one.disco, at: start)
            #expect((1..<1 << 24).contains(offer.virtualNetwork))
            seen.insert(offer.virtualNetwork)
        }
        #expect(seen.count == 200)
    }
}
