import DERP
import NetTypes
import RelayCore
import Testing

/// Relays of one region whose links carry everything at once.
private struct Region: ~Copyable {
    var first = Relay()
    var second = Relay()
    /// The link of `first` to `second`, and that link as `second` sees it; then the other way.
    var link: ConnectionID
    private var inbound: ConnectionID
    private var linkBack: ConnectionID
    private var inboundBack: ConnectionID

    init() {
        link = first.connect(9_002, as: .link)
        inbound = second.connect(9_001, as: .relay)
        linkBack = second.connect(9_001, as: .link)
        inboundBack = first.connect(9_002, as: .relay)
        second.core.handleMessage(.watchConnections, from: inbound)
        first.core.handleMessage(.watchConnections, from: inboundBack)
        // What is told later is news.
        first.advance(.seconds(3))
        second.advance(.seconds(3))
        carry()
    }

    /// Carries presence and packets between the two.
    mutating func carry() {
        for output in second.receive(inbound) {
            switch output {
            case .message(.peerPresent(let presence)):
                first.core.notePresent(presence.peer, at: link, now: first.now)
            case .message(.peerGone(let key, _)): first.core.noteAbsent(key, at: link)
            default: break
            }
        }
        for output in first.receive(inboundBack) {
            switch output {
            case .message(.peerPresent(let presence)):
                second.core.notePresent(presence.peer, at: linkBack, now: second.now)
            case .message(.peerGone(let key, _)): second.core.noteAbsent(key, at: linkBack)
            default: break
            }
        }
        for output in first.receive(link) {
            guard case .forward(let source, let destination, let payload) = output else { continue }
            second.core.handleForward(
                from: inbound, source: source, to: destination, payload, byteCount: 1_000,
                isDisco: false, at: second.now)
        }
        for output in second.receive(linkBack) {
            guard case .forward(let source, let destination, let payload) = output else { continue }
            first.core.handleForward(
                from: inboundBack, source: source, to: destination, payload, byteCount: 1_000,
                isDisco: false, at: first.now)
        }
    }

    mutating func cutLink() { first.core.disconnect(link) }
}

@Suite struct MeshTests {
    @Test func clientsOfTwoRelaysReachEachOther() {
        var region = Region()
        let alice = region.first.connect(1)
        let bob = region.second.connect(2)
        region.carry()
        region.first.send(alice, to: 2, 42)
        region.second.send(bob, to: 1, 43)
        region.carry()
        let atBob = region.second.receive(bob)
        #expect(atBob == [.packet(nodeKey(1), 42)])
        let atAlice = region.first.receive(alice)
        #expect(atAlice == [.packet(nodeKey(2), 43)])
        #expect(region.first.core.statistics.packetsForwardedOut == 1)
        #expect(region.first.core.statistics.packetsForwardedIn == 1)
    }

    @Test func whoWasThereBeforeTheLinkIsKnownAsWell() {
        var relay = Relay()
        _ = relay.connect(1)
        _ = relay.connect(2)
        let watcher = relay.connect(9, as: .relay)
        relay.core.handleMessage(.watchConnections, from: watcher)
        let told = relay.receive(watcher)
        let expected = [1, 2].map { number in
            Relay.Output.message(
                .peerPresent(PeerPresent(peer: nodeKey(number), endpoint: nil, flags: 1)))
        }
        #expect(told == expected)
    }

    @Test func aReceiverAtAnotherRelayLearnsThatTheSenderLeft() {
        var region = Region()
        let alice = region.first.connect(1)
        let bob = region.second.connect(2)
        region.carry()
        region.first.send(alice, to: 2)
        region.carry()
        _ = region.second.receive(bob)
        region.first.core.disconnect(alice)
        region.carry()
        let told = region.second.receive(bob)
        #expect(told == [.message(.peerGone(nodeKey(1), .disconnected))])
    }

    @Test func nobodyIsGoneWhoIsStillAtAnotherRelay() {
        var region = Region()
        let alice = region.first.connect(1)
        let bob = region.first.connect(2)
        region.first.send(alice, to: 2)
        _ = region.first.receive(bob)
        let moved = region.second.connect(1)
        region.carry()
        region.first.core.disconnect(alice)
        region.carry()
        var told = region.first.receive(bob)
        #expect(told.isEmpty)
        region.first.send(bob, to: 1, 7)
        region.carry()
        let arrived = region.second.receive(moved)
        #expect(arrived == [.packet(nodeKey(2), 7)])
        region.second.core.disconnect(moved)
        region.carry()
        told = region.first.receive(bob)
        #expect(told == [.message(.peerGone(nodeKey(1), .disconnected))])
    }

    @Test func packetsFollowANodeThatMovedBeforeItsOldConnectionIsFoundDead() {
        var region = Region()
        let old = region.first.connect(1)
        let bob = region.first.connect(2)
        let new = region.second.connect(1)
        region.carry()
        region.first.send(bob, to: 1, 7)
        region.carry()
        let arrived = region.second.receive(new)
        #expect(arrived == [.packet(nodeKey(2), 7)])
        // It speaks through the old one after all.
        region.first.send(old, to: 2)
        region.first.send(bob, to: 1, 8)
        let atOld = region.first.receive(old)
        #expect(atOld == [.packet(nodeKey(2), 8)])
    }

    @Test func aLinkThatTellsHowThingsWereMovesNobody() {
        var relay = Relay()
        let alice = relay.connect(1)
        let bob = relay.connect(2)
        let link = relay.connect(9, as: .link)
        relay.core.notePresent(nodeKey(1), at: link, now: relay.now)
        relay.send(bob, to: 1, 5)
        let arrived = relay.receive(alice)
        #expect(arrived == [.packet(nodeKey(2), 5)])
    }

    @Test func withTheLinkGoAllItsClients() {
        var region = Region()
        let alice = region.first.connect(1)
        let bob = region.second.connect(2)
        region.carry()
        region.second.send(bob, to: 1)
        region.carry()
        _ = region.first.receive(alice)
        region.cutLink()
        let told = region.first.receive(alice)
        #expect(told == [.message(.peerGone(nodeKey(2), .disconnected))])
        region.first.send(alice, to: 2, isDisco: true)
        let answer = region.first.receive(alice)
        #expect(answer == [.message(.peerGone(nodeKey(2), .notHere))])
        #expect(region.first.core.clientCount == 1)
    }

    @Test func whatARelayForwardedIsNeverForwardedOn() {
        var relay = Relay()
        let inbound = relay.connect(9, as: .relay)
        let link = relay.connect(9, as: .link)
        relay.core.notePresent(nodeKey(1), at: link, now: relay.now)
        relay.core.handleForward(
            from: inbound, source: nodeKey(2), to: nodeKey(1), 0, byteCount: 100, isDisco: false,
            at: relay.now)
        let forwarded = relay.receive(link)
        #expect(forwarded.isEmpty)
        #expect(relay.core.statistics[.forwardedInVain] == 1)
    }

    @Test func clientsMayNotDoWhatRelaysMay() {
        for attempt in 0..<3 {
            var relay = Relay()
            let victim = relay.connect(1)
            let hostile = relay.connect(2)
            switch attempt {
            case 0: relay.core.handleMessage(.watchConnections, from: hostile)
            case 1: relay.core.handleMessage(.closePeer(nodeKey(1)), from: hostile)
            default:
                relay.core.handleForward(
                    from: hostile, source: nodeKey(3), to: nodeKey(1), 0, byteCount: 1,
                    isDisco: false, at: relay.now)
            }
            let events = relay.events()
            #expect(events == [.close(hostile, .notPermitted)])
            let told = relay.receive(victim) + relay.receive(hostile)
            #expect(told.isEmpty)
        }
    }

    @Test func aRelayMayCloseAClient() {
        var relay = Relay()
        let client = relay.connect(1)
        let inbound = relay.connect(9, as: .relay)
        relay.core.handleMessage(.closePeer(nodeKey(1)), from: inbound)
        let events = relay.events()
        #expect(events == [.close(client, .removed)])
    }

    @Test func newsOfAClientThatComesAndGoesWaitsOnce() {
        var relay = Relay()
        let watcher = relay.connect(9, as: .relay)
        relay.core.handleMessage(.watchConnections, from: watcher)
        for _ in 0..<1_000 { relay.core.disconnect(relay.connect(1)) }
        let told = relay.receive(watcher)
        #expect(told == [.message(.peerGone(nodeKey(1), .disconnected))])
    }

    @Test func claimsOfARelayAreBounded() {
        var relay = Relay { $0.presenceMax = 100 }
        let link = relay.connect(9, as: .link)
        for number in 0..<1_000 {
            relay.core.notePresent(nodeKey(number), at: link, now: relay.now)
        }
        #expect(relay.core.presentCount(at: link) == 100)
        #expect(relay.core.statistics.presencesIgnored == 900)
        relay.core.disconnect(link)
        #expect(relay.core.clientCount == 0)
    }

    @Test func aStormOfForwardsStaysWithinTheBoundsAndLeavesOthersTheirShare() {
        var relay = Relay()
        let victim = relay.connect(1)
        let neighbour = relay.connect(2)
        let inbound = relay.connect(9, as: .relay)
        for number in 0..<100_000 {
            relay.core.handleForward(
                from: inbound, source: nodeKey(100), to: nodeKey(number % 3), 0,
                byteCount: 1_000, isDisco: number % 2 == 0, at: relay.now)
        }
        let bounds = relay.core.configuration
        #expect(
            relay.core.queuedBytes <= 2 * (bounds.dataQueueBytesMax + bounds.discoQueueBytesMax))
        relay.send(neighbour, to: 1, 77)
        let next = relay.receive(victim, limit: 40)
        #expect(next.contains(.packet(nodeKey(2), 77)))
    }
}
