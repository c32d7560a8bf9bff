import NetTypes
import PeerRelay
import STUN
import SimulatedNetwork
import Testing

@Suite("addresses of a peer relay")
struct RelayAddressFinderTests {
    private let server = Endpoint("203.0.113.1:3478")!
    private let outside = Endpoint("198.51.100.7:40000")!
    private let inside = IPAddress("10.0.0.2")!

    private func makeFinder(fixed: [Endpoint] = []) -> RelayAddressFinder<SeededRandom> {
        var finder = RelayAddressFinder(
            ipv4Port: 40_000, ipv6Port: nil, fixed: fixed, random: SeededRandom(seed: 1))
        finder.setAddresses([inside, IPAddress("2001:db8::2")!], at: start)
        finder.setServers([server, Endpoint("[2001:db8::1]:3478")!], at: start)
        return finder
    }

    private func answer(_ request: [UInt8], _ mapped: Endpoint) -> [UInt8] {
        STUNServerLogic.response(to: request.span.bytes, from: mapped)!
    }

    @Test("what a STUN server sees comes before the interfaces, what was set by hand before all")
    func order() throws {
        let fixed = Endpoint("192.0.2.9:9")!
        var finder = makeFinder(fixed: [fixed])
        #expect(finder.endpoints == [fixed, Endpoint(inside, port: 40_000)])
        finder.handleTimeout(at: start)
        let asked = finder.pollTransmit()
        #expect(asked?.destination == server)
        let another = finder.pollTransmit()
        #expect(another == nil, "there is no socket for the other family")
        let response = answer(try #require(asked?.bytes), outside)
        let isNews = finder.handleResponse(response.span.bytes, at: start)
        #expect(isNews)
        #expect(finder.endpoints == [fixed, outside, Endpoint(inside, port: 40_000)])
        let again = finder.handleResponse(response.span.bytes, at: start)
        #expect(!again, "an answer counts once")
    }

    @Test("used, it asks every 25 s; otherwise every five minutes; without an answer thrice")
    func intervals() throws {
        var finder = makeFinder()
        finder.handleTimeout(at: start)
        let polled = finder.pollTransmit()
        let first = try #require(polled)
        _ = finder.handleResponse(answer(first.bytes, outside).span.bytes, at: start)
        #expect(finder.nextDeadline == start + .minutes(5))
        finder.setBusy(true, at: start)
        #expect(finder.nextDeadline == start + .seconds(25))
        var asked = 0
        var now = start
        while let due = finder.nextDeadline, due <= start + .seconds(49) {
            now = due
            finder.handleTimeout(at: now)
            while finder.pollTransmit() != nil { asked += 1 }
        }
        #expect(asked == 3)
        #expect(finder.endpoints.first == outside, "silence contradicts nothing")
    }

    @Test("answers that nobody asked for are not believed")
    func forged() {
        var finder = makeFinder()
        finder.handleTimeout(at: start)
        _ = finder.pollTransmit()
        var random = SeededRandom(seed: 99)
        let other = STUNRequest.encode(STUNTransactionID(random: &random))
        let isNews = finder.handleResponse(answer(other, outside).span.bytes, at: start)
        #expect(!isNews)
        let noise = finder.handleResponse(([1, 1, 0, 0] as [UInt8]).span.bytes, at: start)
        #expect(!noise)
        #expect(finder.endpoints == [Endpoint(inside, port: 40_000)])
    }

    @Test("on another network what was seen on the old one is forgotten")
    func moves() throws {
        var finder = makeFinder()
        finder.handleTimeout(at: start)
        let polled = finder.pollTransmit()
        let first = try #require(polled)
        _ = finder.handleResponse(answer(first.bytes, outside).span.bytes, at: start)
        let elsewhere = IPAddress("10.9.0.2")!
        finder.setAddresses([elsewhere], at: start + .seconds(9))
        #expect(finder.endpoints == [Endpoint(elsewhere, port: 40_000)])
        #expect(finder.nextDeadline == start + .seconds(9))
    }
}
