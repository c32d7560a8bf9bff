/// Pauses between attempts: doubling from a tenth of a second to half a minute, spread at random
/// so that the nodes of a restarted server do not come back at one moment.
package struct Backoff: Sendable {
    private static let first = Duration.milliseconds(100)
    private static let longest = Duration.seconds(30)

    private var failures = 0
    /// A pause the server asked for, once.
    private var demanded: Duration?

    package init() {}

    /// The next pause: none before the first attempt, then 50 to 100 % of the doubled one.
    package func pause(random: inout some RandomNumberGenerator) -> Duration {
        if let demanded { return demanded }
        guard failures > 0 else { return .zero }
        let full = min(Self.first * (1 << min(failures - 1, 10)), Self.longest)
        return full * Double.random(in: 0.5...1, using: &random)
    }

    package mutating func noteFailure(retryAfter: Duration? = nil) {
        failures += 1
        demanded = retryAfter
    }

    package mutating func reset() {
        failures = 0
        demanded = nil
    }
}
