import ControlMessages
import Coordination
import NetTypes
import Testing

@Suite struct PresenceTests {
    @Test func aNodeIsOfflineTenSecondsAfterItsLastSession() {
        let network = TestNetwork()
        network.join(1)
        network.join(2)
        network.connect(2)
        _ = network.takeEvents()
        network.disconnect(2)
        network.advance(by: .seconds(9))
        #expect(network.takeEvents().isEmpty)
        #expect(network.isOnline(2))
        network.advance(by: .seconds(1))
        let patch = network.delta(1, network.takeEvents())?.peersChangedPatch?.first
        #expect(patch?.isOnline == false)
        #expect(patch?.lastSeen == network.now.wall)
        #expect(network.record(2)?.lastSeen == network.now.wall)
        #expect(network.map(1).peers?.first?.lastSeen == network.now.wall)
    }

    @Test func aShortReconnectIsNoNews() {
        let network = TestNetwork()
        network.join(1)
        network.connect(1)
        _ = network.takeEvents()
        network.disconnect(1)
        network.advance(by: .seconds(5))
        network.connect(1)
        network.advance(by: .seconds(60))
        #expect(network.takeEvents().isEmpty)
        #expect(network.isOnline(1))
    }

    @Test func theEndOfAnOldSessionDoesNotMakeANodeOffline() {
        let network = TestNetwork()
        network.join(1)
        network.connect(1)
        network.connect(1)
        network.disconnect(1)
        network.advance(by: .seconds(60))
        #expect(network.isOnline(1))
        network.disconnect(1)
        // One end too many, as of a session that was never counted, is harmless.
        network.disconnect(1)
        network.advance(by: .seconds(60))
        #expect(!network.isOnline(1))
    }

    @Test func onlineNodesAreShownWithoutLastSeen() {
        let network = TestNetwork()
        network.join(1)
        network.join(2)
        network.connect(2)
        network.disconnect(2)
        network.advance(by: .seconds(60))
        network.connect(2)
        let peer = network.map(1).peers?.first
        #expect(peer?.isOnline == true)
        #expect(peer?.lastSeen == nil)
    }

    @Test func anEphemeralNodeIsRemovedAfterHalfAnHourAway() {
        let network = TestNetwork()
        network.join(1) { $0.isEphemeral = true }
        network.join(2)
        network.connect(1)
        network.connect(2)
        network.disconnect(1)
        network.disconnect(2)
        network.advance(by: .minutes(30))
        #expect(network.record(1) != nil)
        network.advance(by: .minutes(1))
        #expect(network.record(1) == nil)
        #expect(network.record(2) != nil)
    }

    @Test func anEphemeralNodeThatComesBackStays() {
        let network = TestNetwork()
        network.join(1) { $0.isEphemeral = true }
        network.connect(1)
        network.disconnect(1)
        network.advance(by: .minutes(29))
        network.connect(1)
        network.advance(by: .minutes(120))
        #expect(network.record(1) != nil)
    }

    @Test func anEphemeralNodeThatNeverConnectsIsRemovedAlsoAfterARestart() {
        let network = TestNetwork()
        network.join(1) { $0.isEphemeral = true }
        network.advance(by: .minutes(20))
        let (state, settings) = (network.coordinator.state, network.coordinator.settings)
        network.coordinator = Coordinator(state: state, settings: settings, at: network.now)
        network.advance(by: .minutes(20))
        #expect(network.record(1) != nil)
        network.advance(by: .minutes(11))
        #expect(network.record(1) == nil)
    }

    @Test func everyDeadlineIsReachedInOneStep() {
        let network = TestNetwork { $0.keyLifetime = .minutes(60) }
        for number in 1...5 {
            network.join(number) { $0.isEphemeral = true }
            network.connect(number)
            network.disconnect(number)
        }
        var steps = 0
        while let deadline = network.coordinator.nextDeadline(at: network.now), steps < 100 {
            network.advance(by: deadline - network.now.monotonic)
            steps += 1
        }
        #expect(steps < 20)
        #expect(network.coordinator.state.nodes.isEmpty)
    }
}
