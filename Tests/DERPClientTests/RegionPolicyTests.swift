import NetTypes
import Testing

@testable import DERPClient

/// SplitMix64 (Steele et al. 2014).
private struct SeededRandom: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// A policy on a clock that the test moves.
private struct Region {
    var policy: RegionPolicy
    var now = MonotonicInstant(nanoseconds: 1_000_000_000_000)
    var random = SeededRandom(state: 7)

    init(nodeCount: Int = 1) {
        policy = RegionPolicy(configuration: RelayPoolConfiguration(), nodeCount: nodeCount)
    }

    mutating func fail() { policy.noteDialFailed(at: now, random: &random) }
    mutating func poll() -> RegionPolicy.Action? { policy.poll(at: now, random: &random) }
    mutating func lose() { policy.noteDisconnected(at: now, random: &random) }
    mutating func connect() {
        let action = poll()
        guard case .dial = action else { fatalError("expected to dial, not \(action as Any)") }
        policy.noteConnected(at: now)
    }
    mutating func advance(_ time: Nanoseconds) { now = now + time }
    /// Moves to the next deadline and returns the action due then.
    mutating func next() -> RegionPolicy.Action? {
        guard let deadline = policy.nextDeadline else { return nil }
        now = max(now, deadline)
        return poll()
    }
}

@Suite struct RegionPolicyTests {
    @Test func homeIsDialledAtOnceAndOthersWhenUsed() {
        var region = Region()
        #expect(region.poll() == nil)
        region.policy.setHome(true, at: region.now)
        #expect(region.poll() == .dial(attempt: 0))
        #expect(region.poll() == nil)

        var other = Region()
        other.policy.noteUsed(at: other.now)
        #expect(other.poll() == .dial(attempt: 0))
    }

    @Test func aRegionThatIsKeptRestsAndIsClosedAtLast() {
        var region = Region()
        region.policy.noteUsed(at: region.now)
        region.connect()
        let start = region.now
        var action: RegionPolicy.Action?
        while action != .considerKeeping {
            if case .ping(let id) = action {
                _ = region.policy.notePong(id, at: region.now)
                region.policy.noteHeard(at: region.now)
            }
            action = region.next()
        }
        #expect(region.now - start == .seconds(60))
        region.policy.keep(at: region.now)
        // Nothing is sent for its own sake as long as the relay gives signs of life.
        var actions: [RegionPolicy.Action] = []
        for _ in 0..<9 {
            region.advance(.seconds(60))
            region.policy.noteHeard(at: region.now)
            if let action = region.poll() { actions.append(action) }
        }
        #expect(actions == [])
        let end = region.next()
        #expect(end == .close(.idle) && region.now - start == .minutes(11))
    }

    @Test func aKeptRegionIsClosedForAnotherAndKeptAgainAfterItsNextUse() {
        var region = Region()
        region.policy.noteUsed(at: region.now)
        region.connect()
        region.advance(.seconds(60))
        region.policy.noteHeard(at: region.now)
        #expect(region.poll() == .considerKeeping)
        region.policy.keep(at: region.now)
        region.policy.release()
        #expect(region.poll() == .close(.idle))
        region.policy.noteUsed(at: region.now)
        region.advance(.seconds(60))
        region.policy.noteHeard(at: region.now)
        #expect(region.poll() == .considerKeeping)
    }

    @Test func aKeptRegionThatBreaksIsDialledOnceAndThenLeftAlone() {
        var region = Region()
        region.policy.noteUsed(at: region.now)
        region.connect()
        region.advance(.seconds(60))
        region.policy.noteHeard(at: region.now)
        #expect(region.poll() == .considerKeeping)
        region.policy.keep(at: region.now)
        region.lose()
        #expect(region.poll() == .dial(attempt: 0))
        region.fail()
        #expect(region.poll() == nil && region.policy.nextDeadline == nil)
    }

    @Test func aStableConnectionIsDialledAgainAtOnce() {
        var region = Region()
        region.policy.setHome(true, at: region.now)
        region.connect()
        region.advance(.seconds(3))
        region.lose()
        #expect(region.poll() == .dial(attempt: 0))
    }

    @Test func failuresPauseLongerUpToFiveSecondsAndTryTheNextNode() {
        var region = Region()
        region.policy.setHome(true, at: region.now)
        #expect(region.poll() == .dial(attempt: 0))
        var pauses: [Nanoseconds] = []
        for attempt in 1...12 {
            region.lose()
            let failedAt = region.now
            #expect(region.poll() == nil)
            #expect(region.next() == .dial(attempt: attempt))
            pauses.append(region.now - failedAt)
        }
        #expect(pauses[0] > .milliseconds(100) && pauses[0] <= .milliseconds(250))
        for pause in pauses { #expect(pause <= .seconds(5)) }
        for pause in pauses.suffix(6) { #expect(pause >= .milliseconds(2_500)) }
    }

    @Test func aConnectionThatBreaksAtOnceCountsAsAFailure() {
        var region = Region()
        region.policy.setHome(true, at: region.now)
        for _ in 0..<20 {
            region.now = max(region.now, region.policy.nextDeadline ?? region.now)
            region.connect()
            region.advance(.milliseconds(10))
            region.lose()
        }
        guard let deadline = region.policy.nextDeadline else { return #expect(Bool(false)) }
        #expect(deadline - region.now >= .seconds(2))
    }

    @Test func aDialThatTakesTooLongIsGivenUp() {
        var region = Region()
        region.policy.setHome(true, at: region.now)
        _ = region.poll()
        let start = region.now
        #expect(region.next() == nil && region.policy.isUnreachable)
        #expect(region.now - start == .seconds(5))
        #expect(region.next() == .close(.dialTimeout))
        #expect(region.now - start == .seconds(10))
    }

    @Test func pingsMeasureAndFindDeadConnections() {
        var region = Region()
        region.policy.setHome(true, at: region.now)
        region.connect()
        guard case .ping(let id) = region.next() else { return #expect(Bool(false)) }
        region.advance(.milliseconds(25))
        region.policy.noteHeard(at: region.now)
        #expect(region.policy.notePong(id &+ 1, at: region.now) == nil)
        #expect(region.policy.notePong(id, at: region.now) == .milliseconds(25))
        #expect(region.policy.notePong(id, at: region.now) == nil)

        region.policy.noteUsed(at: region.now)
        guard case .ping = region.next() else { return #expect(Bool(false)) }
        let askedAt = region.now
        #expect(region.next() == .close(.pingTimeout))
        #expect(region.now - askedAt == .seconds(10))
    }

    @Test func anIdleConnectionIsWatchedByItsKeepAlivesAlone() {
        var region = Region()
        region.policy.setHome(true, at: region.now)
        region.connect()
        guard case .ping(let id) = region.next() else { return #expect(Bool(false)) }
        _ = region.policy.notePong(id, at: region.now)
        let start = region.now
        var wakeUpCount = 0
        while region.now - start < .minutes(60) {
            region.advance(.seconds(60))
            region.policy.noteHeard(at: region.now)
            while let deadline = region.policy.nextDeadline, deadline <= region.now {
                wakeUpCount += 1
                #expect(region.poll() == nil)
            }
        }
        #expect(wakeUpCount <= 2, "\(wakeUpCount)")
        let heardAt = region.now
        #expect(region.next() == .close(.silent))
        #expect(region.now - heardAt <= .minutes(4))
    }

    @Test func anythingHeardProvesAsMuchAsThePong() {
        var region = Region()
        region.policy.setHome(true, at: region.now)
        region.connect()
        guard case .ping = region.next() else { return #expect(Bool(false)) }
        region.advance(.seconds(1))
        region.policy.noteHeard(at: region.now)
        #expect(region.next() == nil)
        guard case .ping = region.next() else { return #expect(Bool(false)) }
    }

    @Test func aProbeAsksAtOnceAndHasLittlePatience() {
        var region = Region()
        region.policy.setHome(true, at: region.now)
        region.connect()
        region.policy.probe(at: region.now)
        guard case .ping = region.poll() else { return #expect(Bool(false)) }
        let askedAt = region.now
        #expect(region.next() == .checkKernel)
        #expect(region.now - askedAt == .milliseconds(500))
        region.policy.noteKernelAlive(false, at: region.now)
        #expect(region.poll() == .close(.pingTimeout))
        region.lose()
        // While it pauses, a probe dials without waiting.
        region.lose()
        region.policy.probe(at: region.now)
        guard case .dial = region.poll() else { return #expect(Bool(false)) }
    }

    @Test func anUnusedRegionIsLeftUnlessItIsHome() {
        var region = Region()
        region.policy.noteUsed(at: region.now)
        region.connect()
        let start = region.now
        var action = region.next()
        while case .ping(let id) = action {
            region.policy.noteHeard(at: region.now)
            _ = region.policy.notePong(id, at: region.now)
            action = region.next()
        }
        // Not to be kept.
        #expect(action == .considerKeeping)
        #expect(region.poll() == .close(.idle))
        #expect(region.now - start == .seconds(60))
        region.lose()
        #expect(region.poll() == nil && region.policy.nextDeadline == nil)

        region.policy.setHome(true, at: region.now)
        region.connect()
        region.policy.setHome(false, at: region.now)
        #expect(region.poll() == nil)
        region.advance(.seconds(59))
        region.policy.noteUsed(at: region.now)
        region.policy.noteHeard(at: region.now)
        region.advance(.seconds(2))
        if case .close = region.poll() { #expect(Bool(false), "it was used two seconds ago") }
    }

    @Test func aRestartingRelayIsLeftInPeaceForAsLongAsItAsked() {
        var region = Region()
        region.policy.setHome(true, at: region.now)
        region.connect()
        region.advance(.seconds(100))
        region.policy.noteHeard(at: region.now)
        region.policy.noteRestarting(
            reconnectIn: .seconds(4), tryFor: .seconds(30), at: region.now)
        region.lose()
        let start = region.now
        #expect(region.next() == .dial(attempt: 0))
        #expect(region.now - start == .seconds(4))
        // An absurd wish is not granted.
        region.policy.noteConnected(at: region.now)
        region.policy.noteRestarting(
            reconnectIn: .seconds(4_000_000), tryFor: .seconds(30), at: region.now)
        region.advance(.seconds(3))
        region.lose()
        let second = region.now
        #expect(region.next() == .dial(attempt: 0))
        #expect(region.now - second <= .seconds(60))
    }

    @Test func theNextNodeIsDialledBesideOneThatIsSlow() {
        var region = Region(nodeCount: 3)
        region.policy.setHome(true, at: region.now)
        #expect(region.poll() == .dial(attempt: 0))
        let start = region.now
        #expect(region.next() == .dial(attempt: 1))
        #expect(region.now - start == .milliseconds(300))
        #expect(region.next() == .dial(attempt: 2))
        #expect(region.next() == nil && region.policy.isUnreachable)
        #expect(region.next() == .close(.dialTimeout))
        #expect(region.now - start == .seconds(10))
    }

    @Test func aNodeThatRefusesIsFollowedByTheNextAtOnceAndAllOfThemByAPause() {
        var region = Region(nodeCount: 2)
        region.policy.setHome(true, at: region.now)
        let start = region.now
        #expect(region.poll() == .dial(attempt: 0))
        region.fail()
        #expect(region.poll() == .dial(attempt: 1))
        #expect(!region.policy.isUnreachable)
        region.fail()
        #expect(region.policy.isUnreachable)
        #expect(region.poll() == nil && region.now == start)
        guard case .dial = region.next() else { return #expect(Bool(false)) }
        #expect(region.now - start >= .milliseconds(100))
        region.policy.noteConnected(at: region.now)
        #expect(!region.policy.isUnreachable)
    }

    @Test(arguments: [false, true])
    func aRelayThatDoesNotAnswerTrafficIsDeadWithinASecond(pingIsUnderWay: Bool) {
        var region = Region(nodeCount: 2)
        region.policy.setHome(true, at: region.now)
        region.connect()
        // Under way or not, a ping is answered soon or never.
        if pingIsUnderWay {
            guard case .ping = region.next() else { return #expect(Bool(false)) }
        }
        let start = region.now
        region.policy.noteSent(at: region.now)
        if !pingIsUnderWay {
            guard case .ping = region.next() else { return #expect(Bool(false)) }
        } else {
            #expect(region.next() == nil)
        }
        #expect(region.next() == .checkKernel)
        region.policy.noteKernelAlive(false, at: region.now)
        #expect(region.poll() == .close(.pingTimeout))
        #expect(region.now - start == .seconds(1))
        region.advance(.seconds(2))
        region.lose()
        // The other node first.
        #expect(region.poll() == .dial(attempt: 1))
    }

    @Test func aSlowLinkIsNotTakenForADeadOne() {
        var region = Region()
        region.policy.setHome(true, at: region.now)
        region.connect()
        region.policy.noteSent(at: region.now)
        guard case .ping = region.next() else { return #expect(Bool(false)) }
        let askedAt = region.now
        var checks = 0
        while case .checkKernel = region.next() {
            checks += 1
            region.policy.noteKernelAlive(true, at: region.now)
        }
        // A relay whose kernel lives while it does not is left in the end.
        #expect(checks >= 10)
        #expect(region.now - askedAt == .seconds(10))
        #expect(region.poll() == .close(.pingTimeout))
    }

    @Test func aRegionThatWasReachedBeforeIsDoubtedSoon() {
        var region = Region()
        region.policy.setHome(true, at: region.now)
        region.connect()
        guard case .ping(let id) = region.next() else { return #expect(Bool(false)) }
        region.advance(.milliseconds(300))
        region.policy.noteHeard(at: region.now)
        _ = region.policy.notePong(id, at: region.now)
        region.lose()
        #expect(region.poll() == .dial(attempt: 0))
        let start = region.now
        #expect(region.next() == nil && region.policy.isUnreachable)
        #expect(region.now - start == .milliseconds(1_200))
        region.policy.noteConnected(at: region.now)
        #expect(!region.policy.isUnreachable)
    }

    @Test func oneThatWasReachedIsDoubtedSoonBeforeItsLatencyIsKnown() {
        var region = Region()
        region.policy.setHome(true, at: region.now)
        _ = region.poll()
        region.advance(.milliseconds(400))
        region.policy.noteConnected(at: region.now)
        region.advance(.seconds(1))
        region.lose()
        while region.policy.nextDeadline != nil {
            if case .dial = region.next() { break }
        }
        let start = region.now
        #expect(!region.policy.isUnreachable)
        // Twice what it took the last time, so that a distant relay is not given up for its distance.
        #expect(region.next() == nil && region.policy.isUnreachable)
        #expect(region.now - start == .milliseconds(800))
    }

    @Test func answersKeepSuspicionAway() {
        var region = Region()
        region.policy.setHome(true, at: region.now)
        region.connect()
        for _ in 0..<4 {
            region.policy.noteSent(at: region.now)
            region.advance(.milliseconds(400))
            region.policy.noteHeard(at: region.now)
            #expect(region.poll() == nil)
        }
    }
}
