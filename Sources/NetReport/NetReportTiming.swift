import NetTypes

/// Every length of time and every limit of the engine.
enum NetReportTiming {
    /// STUN answers are awaited this long, and a whole report is never longer than the second.
    static var stunTimeout: Nanoseconds { .seconds(3) }
    static var reportTimeout: Nanoseconds { .seconds(5) }
    static var quickTimeout: Nanoseconds { .seconds(1) }
    /// A report of all regions is due this long after the last one.
    static var fullInterval: Nanoseconds { .minutes(5) }
    /// While somebody needs our endpoints a report is made this often: shorter than any usual
    /// lifetime of a NAT mapping.
    static var refreshMin: Nanoseconds { .seconds(20) }
    /// At the most where mappings are known to live for longer: an address may change as well.
    static var learnedRefreshMax: Nanoseconds { .seconds(114) }
    static var refreshSpan: Nanoseconds { .seconds(6) }
    /// Without need it is only to notice a better home relay or a new address of the NAT.
    static var idleRefreshMin: Nanoseconds { .minutes(10) }
    /// A server is asked at these times, until it answers.
    static let retryDelays: [Nanoseconds] = [
        .zero, .milliseconds(100), .milliseconds(200), .milliseconds(600), .milliseconds(1_400),
    ]
    static let quickRetryDelays: [Nanoseconds] = [
        .zero, .milliseconds(100), .milliseconds(250), .milliseconds(500),
    ]
    /// Enough regions have answered: stragglers get at least this long after the start.
    static var stragglerMin: Nanoseconds { .milliseconds(100) }
    static var enoughRegions: Int { 3 }
    /// Assumed of a region that has never answered.
    static var unknownLatency: Nanoseconds { .milliseconds(200) }

    /// Home is chosen by the best latency of this time.
    static var historyDuration: Nanoseconds { .minutes(5) }
    /// The old home stays unless another is better by both: this much, and a third.
    static var homeMargin: Nanoseconds { .milliseconds(10) }
    /// Something heard through the relay shows that it is reachable for so long; when nothing at all
    /// answers, for the longer time.
    static var heardDuration: Nanoseconds { .seconds(8) }
    static var heardAloneDuration: Nanoseconds { .seconds(120) }

    /// Behaviour discovery asks so many servers, and waits so long for its sockets.
    static var behaviorServersMax: Int { 3 }
    static var socketsTimeout: Nanoseconds { .seconds(1) }

    static var regionsMax: Int { 512 }
    static var historyMax: Int { 32 }
}

extension MonotonicInstant {
    /// Before anything that happens.
    static var never: Self { Self(nanoseconds: 0) }
}
