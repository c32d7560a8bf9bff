import CryptoPrimitives
import Testing

@testable import ControlClient

@Suite struct BackoffTests {
    @Test("Pauses double from a tenth of a second to half a minute, with jitter below")
    func doubling() {
        var random = SecureRandom()
        var backoff = Backoff()
        #expect(backoff.pause(random: &random) == .zero)
        var full = Duration.milliseconds(100)
        for _ in 0..<40 {
            backoff.noteFailure()
            let pause = backoff.pause(random: &random)
            #expect(pause >= full / 2 - .milliseconds(1))
            #expect(pause <= full)
            full = min(full * 2, .seconds(30))
        }
        backoff.reset()
        #expect(backoff.pause(random: &random) == .zero)
    }

    @Test("A pause that the server asked for counts until the next failure")
    func demanded() {
        var random = SecureRandom()
        var backoff = Backoff()
        backoff.noteFailure(retryAfter: .seconds(120))
        #expect(backoff.pause(random: &random) == .seconds(120))
        backoff.noteFailure()
        #expect(backoff.pause(random: &random) < .seconds(1))
    }
}
