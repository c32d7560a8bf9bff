import DERP
import NetTypes
import RelayCore
import Testing

@Suite struct RoutingTests {
    @Test func packetsReachTheirReceiverInOrder() {
        var relay = Relay()
        let a = relay.connect(1)
        let b = relay.connect(2)
        for payload in 0..<10 { relay.send(a, to: 2, payload) }
        let ready = relay.core.takeReady()
        #expect(ready == [b])
        let received = relay.receive(b)
        #expect(received == (0..<10).map { .packet(nodeKey(1), $0) })
        let other = relay.receive(a)
        #expect(other.isEmpty)
        let statistics = relay.core.statistics
        #expect(statistics.packetsReceived == 10 && statistics.packetsSent == 10)
        #expect(statistics.bytesSent == 10_000 && statistics.packetsDropped == 0)
        let waiting = relay.core.queuedBytes
        #expect(waiting == 0)
    }

    @Test func aConnectionIsReadyOnceUntilItIsTaken() {
        var relay = Relay()
        let a = relay.connect(1)
        let b = relay.connect(2)
        relay.send(a, to: 2)
        relay.send(a, to: 2)
        let first = relay.core.takeReady()
        relay.send(a, to: 2)
        let second = relay.core.takeReady()
        let third = relay.core.takeReady()
        #expect(first == [b] && second == [b] && third.isEmpty)
    }

    @Test func whoReceivedFromTheLeaverIsToldAndNobodyElse() {
        var relay = Relay()
        let a = relay.connect(1)
        let b = relay.connect(2)
        let c = relay.connect(3)
        relay.send(a, to: 2)
        relay.send(c, to: 1)
        _ = relay.receive(b)
        _ = relay.receive(a)
        relay.core.disconnect(a)
        let atB = relay.receive(b)
        let atC = relay.receive(c)
        #expect(atB == [.message(.peerGone(nodeKey(1), .disconnected))])
        #expect(atC.isEmpty)
        // Back on a new connection, it is watched anew.
        let again = relay.connect(1)
        relay.core.disconnect(again)
        let nothing = relay.receive(b)
        #expect(nothing.isEmpty)
    }

    @Test func onlyDiscoPacketsAreAnsweredWithNotHereAndNotTooOften() {
        var relay = Relay()
        let a = relay.connect(1)
        for _ in 0..<10 { relay.send(a, to: 9) }
        let afterData = relay.receive(a)
        #expect(afterData.isEmpty)
        for _ in 0..<10 { relay.send(a, to: 9, isDisco: true) }
        let burst = relay.receive(a)
        #expect(burst == Array(repeating: .message(.peerGone(nodeKey(9), .notHere)), count: 3))
        relay.advance(.milliseconds(1_500))
        for _ in 0..<10 { relay.send(a, to: 9, isDisco: true) }
        let later = relay.receive(a)
        #expect(later.count == 1)
        let dropped = relay.core.statistics[.unknownDestination]
        #expect(dropped == 30)
    }

    @Test func aKeyInUseOnTwoMachinesIsSaidToBe() {
        var relay = Relay()
        let old = relay.connect(2)
        let new = relay.connect(2)
        relay.advance(.seconds(5))
        let asked = relay.receive(old)
        guard asked.count == 1, case .message(.ping(let data)) = asked[0] else {
            Issue.record("the older connection is not asked: \(asked)")
            return
        }
        let notAsked = relay.receive(new)
        #expect(notAsked.isEmpty)
        relay.core.handleMessage(.pong(data), from: old)
        let toldOld = relay.receive(old)
        let toldNew = relay.receive(new)
        #expect(toldOld.count == 1 && toldNew == toldOld)
        guard case .message(.health(let text)) = toldOld[0] else {
            Issue.record("told \(toldOld)")
            return
        }
        #expect(text.contains("2 connections"))
        relay.core.disconnect(old)
        let healthy = relay.receive(new)
        #expect(healthy == [.message(.health(""))])
    }

    @Test func aNodeThatMovedIsNotTakenForTwo() {
        var relay = Relay()
        let old = relay.connect(2)
        // Something is under way on the old connection; it ends when the kernel gives up.
        let new = relay.connect(2)
        relay.core.handleMessage(.pong(1), from: old)
        relay.advance(.seconds(15))
        relay.core.disconnect(old)
        let told = relay.receive(new)
        #expect(told.isEmpty)
        // Nor is one whose old connection ends in time.
        let third = relay.connect(2)
        relay.core.disconnect(new)
        relay.advance(.seconds(10))
        let toldThird = relay.receive(third)
        #expect(toldThird.isEmpty)
    }

    @Test func theConnectionThatSentLastReceives() {
        var relay = Relay()
        let other = relay.connect(1)
        let old = relay.connect(2)
        let new = relay.connect(2)
        relay.send(other, to: 2, 1)
        let atNew = relay.receive(new)
        #expect(atNew == [.packet(nodeKey(1), 1)])
        relay.send(old, to: 1)
        relay.send(other, to: 2, 2)
        let atOld = relay.receive(old)
        #expect(atOld == [.packet(nodeKey(1), 2)])

        relay.core.disconnect(old)
        relay.send(other, to: 2, 3)
        let last = relay.receive(new)
        #expect(last == [.packet(nodeKey(1), 3)])
        // The key is still here, so nobody was told that it left.
        let atOther = relay.receive(other)
        #expect(atOther.allSatisfy { if case .packet = $0 { true } else { false } })
    }

    @Test func tooManyConnectionsOfOneKeyCostTheOldest() {
        var relay = Relay { $0.connectionsPerKeyMax = 2 }
        let first = relay.connect(1)
        _ = relay.connect(1)
        _ = relay.connect(1)
        let events = relay.events()
        #expect(events == [.close(first, .superseded)])
    }

    @Test func connectionsAreBoundedAndTheirPlacesReused() {
        var relay = Relay { $0.connectionsMax = 2 }
        let a = relay.connect(1)
        _ = relay.connect(2)
        var refusal: RelayCore<Int>.Refusal?
        do {
            _ = try relay.core.connect(nodeKey(3), at: relay.now)
        } catch {
            refusal = error
        }
        #expect(refusal == .tooManyConnections(limit: 2))
        relay.core.disconnect(a)
        relay.core.disconnect(a)
        let b = relay.connect(3)
        #expect(b.index == a.index && b != a)
        // What was said about the old connection does not touch the new one.
        relay.send(a, to: 2)
        relay.core.noteBlocked(a, at: relay.now)
        relay.core.disconnect(a)
        let count = relay.core.connectionCount
        let received = relay.core.statistics.packetsReceived
        #expect(count == 2 && received == 0)
    }

    @Test func aReconnectedReceiverIsFound() {
        var relay = Relay()
        let a = relay.connect(1)
        let b = relay.connect(2)
        relay.send(a, to: 2, 1)
        relay.core.disconnect(b)
        relay.send(a, to: 2, 2)
        let c = relay.connect(3)
        let again = relay.connect(2)
        relay.send(a, to: 2, 3)
        let atAgain = relay.receive(again)
        let atC = relay.receive(c)
        #expect(atAgain == [.packet(nodeKey(1), 3)] && atC.isEmpty)
        let statistics = relay.core.statistics
        #expect(statistics[.receiverGone] == 1 && statistics[.unknownDestination] == 1)
        let waiting = relay.core.queuedBytes
        #expect(waiting == 0)
    }

    @Test func watchersAreBounded() {
        var relay = Relay { $0.watchersMax = 3 }
        let a = relay.connect(1)
        let others = (2...6).map { relay.connect($0) }
        for number in 2...6 { relay.send(a, to: number) }
        for id in others { _ = relay.receive(id) }
        relay.core.disconnect(a)
        let told = others.map { relay.receive($0).count }
        #expect(told == [1, 1, 1, 0, 0])
        let forgotten = relay.core.statistics.watchersForgotten
        #expect(forgotten == 2)
    }

    @Test func pingsAreAnswered() {
        var relay = Relay()
        let a = relay.connect(1)
        relay.core.handleMessage(.ping(42), from: a)
        relay.core.handleMessage(.notePreferred(true), from: a)
        let answer = relay.receive(a)
        #expect(answer == [.message(.pong(42))])
        let homes = relay.core.homeCount
        #expect(homes == 1)
    }

    @Test func aFloodOfPingsIsBounded() {
        var relay = Relay { $0.messageQueueMax = 16 }
        let a = relay.connect(1)
        for id in 0..<1_000 { relay.core.handleMessage(.ping(UInt64(id)), from: a) }
        let answers = relay.receive(a)
        #expect(answers.count == 16)
        let dropped = relay.core.statistics[.messageQueueFull]
        #expect(dropped == 984)
    }

    @Test func aRemovedNodeIsClosedAndARestartAnnounced() {
        var relay = Relay()
        let a = relay.connect(1)
        let b = relay.connect(2)
        relay.core.remove(nodeKey(1))
        let events = relay.events()
        #expect(events == [.close(a, .removed)])
        relay.core.announceRestart(reconnectIn: .seconds(1), tryFor: .seconds(9))
        let told = relay.receive(b)
        #expect(told == [.message(.restarting(reconnectIn: .seconds(1), tryFor: .seconds(9)))])
    }
}
