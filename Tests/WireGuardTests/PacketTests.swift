import CryptoPrimitives
import NetTypes
import Testing

@testable import WireGuard

private let first = PeerIndex(number: 0)

@Suite("WireGuard inner packets")
struct PacketTests {
    @Test func packetsWithASourceOfAnotherPeerAreDropped() throws {
        let network = Network(seed: 1)
        let (a, b, c) = (network.addHost(), network.addHost(), network.addHost())
        try network.connect(a, b)
        try network.connect(c, b)
        network.send(a, packet(from: c.address, to: b.address, mark: 1), to: .v4(b.address))
        network.run(for: .seconds(1))
        #expect(b.received.isEmpty && b.results.contains(.dropped(.sourceNotAllowed)))
        network.send(a, packet(from: a.address, to: b.address, mark: 2), to: .v4(b.address))
        network.run(for: .seconds(1))
        #expect(b.received.count == 1)
    }

    @Test func thePaddingIsZeroEndsAtTheMTUAndIsCutOffAgain() throws {
        let (network, a, b) = try Network.pair(seed: 2, configuration: .init(mtu: 1420))
        network.send(a, to: b, mark: 1)
        network.run(for: .seconds(1))
        for count in [20, 21, 32, 33, 1280, 1281, 1409, 1419, 1420] {
            network.send(a, to: b, mark: 0xEE, count: count)
            let padded = min(1420, (count + 15) / 16 * 16)
            #expect(a.sent.last!.bytes.count == padded + 32, "\(count) bytes")
            network.run(for: .seconds(1))
            #expect(b.received.last?.count == count)
        }
    }

    @Test func textThatIsNoPacketIsDroppedButKeepsTheSessionAlive() throws {
        let (network, a, b) = try Network.pair(seed: 3)
        network.send(a, to: b, mark: 1)
        network.run(for: .seconds(1))
        var long = packet(from: a.address, to: b.address, mark: 1)
        long[2] = 0xFF
        var short = packet(from: a.address, to: b.address, mark: 1)
        short[2] = 0
        short[3] = 19
        let texts: [[UInt8]] = [
            long, short, [0x75] + long.dropFirst(), [0x45],
            [0x60] + [UInt8](repeating: 0, count: 30),
        ]
        for text in texts {
            network.send(a, text, to: .v4(b.address))
            network.run(for: .milliseconds(100))
            #expect(b.results.last == .dropped(.malformedInner))
        }
        #expect(b.received.count == 1)
        let traffic = b.device.peers[0].traffic.receivedBytes
        #expect(traffic > 500)
    }

    @Test func ipv6PacketsAreRoutedTrimmedAndChecked() throws {
        let (network, a, b) = try Network.pair(seed: 4)
        let (addressA, addressB) = (IPv6Address("fd7a::a")!, IPv6Address("fd7a::b")!)
        try a.device.upsertPeer(
            PeerConfiguration(publicKey: b.key.publicKey, allowedIPs: [prefix("fd7a::b/128")]),
            at: network.now)
        try b.device.upsertPeer(
            PeerConfiguration(publicKey: a.key.publicKey, allowedIPs: [prefix("fd7a::/125")]),
            at: network.now)
        func ipv6(from source: IPv6Address) -> [UInt8] {
            var bytes: [UInt8] = [0x60, 0, 0, 0, 0, 5, 59, 64]
            bytes.append(source)
            bytes.append(addressB)
            return bytes + [1, 2, 3, 4, 5]
        }
        network.send(a, ipv6(from: IPv6Address("fd7a::3")!), to: .v6(addressB))
        network.run(for: .seconds(1))
        #expect(b.received == [ipv6(from: IPv6Address("fd7a::3")!)])
        network.send(a, ipv6(from: addressA), to: .v6(addressB))
        network.run(for: .seconds(1))
        #expect(b.results.last == .dropped(.sourceNotAllowed), "fd7a::a is outside of fd7a::/125")
        let old = network.send(a, to: b, mark: 1)
        #expect(old == nil, "the IPv4 prefix was replaced")
    }

    @Test func aPrefixMovesToThePeerThatClaimsItLast() throws {
        let network = Network(seed: 5)
        let host = network.addHost()
        func upsert(_ seed: UInt64, _ prefixes: [String]) throws -> PeerIndex {
            try host.device.upsertPeer(
                PeerConfiguration(
                    publicKey: nodeKey(seed: seed).publicKey,
                    allowedIPs: prefixes.map { prefix($0) }), at: network.now)
        }
        let one = try upsert(1, ["10.0.0.0/8", "192.168.1.77/24"])
        let two = try upsert(2, ["10.1.0.0/16"])
        func owner(_ address: String) -> PeerIndex? {
            host.device.peer(forDestination: IPAddress(address)!)
        }
        #expect(owner("10.1.2.3") == two && owner("10.2.0.0") == one)
        #expect(owner("192.168.1.5") == one && owner("192.168.2.5") == nil)
        _ = try upsert(2, ["10.0.0.0/8"])
        #expect(owner("10.1.2.3") == two && owner("10.2.0.0") == two)
        let left = host.device.peers[one.number].allowedIPs
        #expect(left == [prefix("192.168.1.0/24")])
        host.device.removePeer(nodeKey(seed: 2).publicKey)
        #expect(owner("10.2.0.0") == nil && owner("192.168.1.5") == one)
    }

    @Test func theOldestOfTooManyWaitingPacketsIsDropped() throws {
        let (network, a, b) = try Network.pair(seed: 6)
        network.isBlocked = { _, _, _ in true }
        for mark in UInt8(0)..<200 { network.send(a, to: b, mark: mark) }
        let overflow = a.device.dropCount(.stagedOverflow)
        #expect(overflow == 72)
        network.isBlocked = { _, _, _ in false }
        network.run(for: .seconds(6))
        #expect(b.received.map { $0[99] } == Array(UInt8(72)..<200))
    }

    @Test func laterPacketsDoNotOvertakeWaitingOnes() throws {
        let (network, a, b) = try Network.pair(seed: 7)
        for mark in UInt8(0)..<5 { network.send(a, to: b, mark: mark) }
        network.run(for: .milliseconds(20))
        let response = b.sent.last!.bytes
        network.deliver(response, to: a, from: .direct(b.endpoint))
        a.device.handleTimeout(at: network.now, civil: network.civil(of: a))
        // Established, but what waited has not been drained yet.
        let result = network.send(a, to: b, mark: 5)
        #expect(result == .staged)
        network.run(for: .seconds(1))
        #expect(b.received.map { $0[99] } == [0, 1, 2, 3, 4, 5])
    }

    @Test(arguments: [1, 31, 32, 64, 92, 148, 200])
    func noiseIsDroppedWithoutAnAnswer(_ count: Int) throws {
        let (network, a, b) = try Network.pair(seed: 8)
        network.send(a, to: b, mark: 1)
        network.run(for: .seconds(1))
        let before = b.sent.count
        var random = SeededRandom(seed: UInt64(count))
        for type in UInt8(0)...5 {
            for _ in 0..<50 {
                var noise = random.bytes(count: count)
                noise[0] = type
                for index in 1..<min(4, count) where index < count { noise[index] = 0 }
                let result = network.deliver(noise, to: b, from: .direct(a.endpoint))
                guard case .dropped = result else {
                    Issue.record("\(count) bytes of type \(type): \(result)")
                    continue
                }
            }
        }
        network.settle(b)
        #expect(b.sent.count == before)
    }
}
