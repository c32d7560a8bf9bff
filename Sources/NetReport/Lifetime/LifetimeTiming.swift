internal import NetTypes

/// Every length of time and every limit of the search for a mapping's lifetime.
enum LifetimeTiming {
    /// What the field takes to be safe: tests begin above it, and no keep-alive is more frequent for
    /// what is learned.
    static var floor: Nanoseconds { .seconds(25) }
    /// Gaps that are tried one after the other while mappings are kept. RFC 4787 §4.3 recommends five
    /// minutes; what a NAT keeps for longer makes no difference to us.
    static let ladder: [Nanoseconds] = [
        .seconds(45), .seconds(90), .seconds(150), .seconds(240), .seconds(330),
    ]
    /// The search ends when it is as close as this, or an eighth.
    static var resolutionMin: Nanoseconds { .seconds(15) }
    /// What is believed at the most of what an earlier run has learned.
    static var safeGapMax: Nanoseconds { .minutes(60) }
    /// How often a mapping must have been kept for the time that is believed.
    static var confirmations: Int { 2 }
    /// A test that waited no more than this longer than another waited as long.
    static var tolerance: Nanoseconds { .seconds(5) }
    static var testsMax: Int { 16 }
    /// Some NATs keep a mapping for longer when packets have passed it a while after the first (Linux:
    /// 2 s), as those of data do.
    static var secondTouch: Nanoseconds { .seconds(3) }
    /// When a question is asked again, and how long the last may take.
    static let retryDelays: [Nanoseconds] = [.zero, .milliseconds(300), .milliseconds(900)]
    static var patience: Nanoseconds { .milliseconds(1_500) }
    /// After a server that did not answer; searches that fail so in a row end it for the network.
    static var failurePause: Nanoseconds { .minutes(5) }
    static var failuresMax: Int { 3 }
    /// How often what was learned of a network may prove wrong before it is left at the defaults.
    static var disproofsMax: Int { 3 }
    static var networksMax: Int { 16 }
}
