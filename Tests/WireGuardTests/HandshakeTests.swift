import CryptoPrimitives
import NetTypes
import Testing
import WireGuard

@Suite("WireGuard handshakes")
struct HandshakeTests {
    @Test func aPacketWaitsForTheHandshakeAndArrives() throws {
        let (network, a, b) = try Network.pair(seed: 1)
        let result = network.send(a, to: b, mark: 7)
        #expect(result == .staged)
        network.run(for: .seconds(1))
        #expect(b.received == [packet(from: a.address, to: b.address, mark: 7)])
        #expect(a.sentCount(of: 1) == 1 && b.sentCount(of: 2) == 1)
        #expect(a.keepalivesSent == 0, "the waiting packet confirms the session")
        #expect(a.events.contains(.sessionEstablished(PeerIndex(number: 0))))
        #expect(b.events.contains(.sessionEstablished(PeerIndex(number: 0))))
        #expect(b.events.first == .authenticated(PeerIndex(number: 0), from: .direct(a.endpoint)))
        #expect(a.events.first == .authenticated(PeerIndex(number: 0), from: .direct(b.endpoint)))

        let back = network.send(b, to: a, mark: 8)
        guard case .sealed = back else {
            Issue.record("the responder has a confirmed session: \(String(describing: back))")
            return
        }
        network.run(for: .seconds(1))
        #expect(a.received == [packet(from: b.address, to: a.address, mark: 8)])
    }
}
