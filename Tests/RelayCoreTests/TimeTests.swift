import DERP
import NetTypes
import RelayCore
import Testing

@Suite struct TimeTests {
    @Test func keepAlivesGoOutEachPeriodAtMomentsThatTheKeysSpread() {
        var relay = Relay()
        let ids = (0..<50).map { relay.connect($0) }
        let start = relay.now
        var times: [Nanoseconds] = []
        while times.count < 100 {
            guard let deadline = relay.core.nextDeadline else { return #expect(Bool(false)) }
            relay.now = deadline
            relay.core.handleTimeout(at: deadline)
            for id in relay.core.takeReady() {
                let frames = relay.receive(id)
                #expect(frames == [.message(.keepAlive)])
                times.append(deadline - start)
            }
        }
        let period = KeepAlive.period
        for first in times.prefix(50) { #expect(first >= period / 6 && first <= period * 7 / 6) }
        for (first, second) in zip(times, times.dropFirst(50)) { #expect(second - first == period) }
        #expect(Set(times.prefix(50)).count > 25)
        #expect(ids.count == 50)
    }

    @Test func aConnectionThatAcceptsNothingIsClosed() {
        var relay = Relay()
        let a = relay.connect(1)
        let b = relay.connect(2)
        relay.core.noteBlocked(a, at: relay.now)
        relay.core.noteBlocked(b, at: relay.now)
        relay.advance(.seconds(9))
        // Reported again while it lasts: the time runs from the first report.
        relay.core.noteBlocked(a, at: relay.now)
        relay.core.noteProgress(b)
        relay.core.noteBlocked(b, at: relay.now)
        relay.advance(.seconds(2))
        let events = relay.events()
        #expect(events == [.close(a, .slow)])
        relay.advance(.seconds(10))
        let later = relay.events()
        #expect(later == [.close(b, .slow)])
        let closed = relay.core.statistics.slowConnectionsClosed
        #expect(closed == 2)
    }
}
