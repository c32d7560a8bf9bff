import NetTypes

enum PortMappingTiming {
    /// What we ask for, in seconds.
    static var lifetimeWanted: UInt32 { 7200 }
    /// Grants shorter than this are not worth their upkeep; longer ones than the other are renewed as
    /// if they were so long.
    static var lifetimeMin: Nanoseconds { .seconds(60) }
    static var lifetimeMax: Nanoseconds { .minutes(24 * 60) }
    /// A UPnP lease without end, or one whose loss nobody tells us: asked for again this often.
    static var upnpRefresh: Nanoseconds { .minutes(10) }

    /// When probes are repeated, from the start of a search. RFC 6886 §3.1 begins at 250 ms and doubles:
    /// with a third of all packets lost three probes of each protocol are in vain once in 36 times, and
    /// then minutes pass. The gateway is on our link, so the first searches take three more.
    static let probeTimes: [Nanoseconds] = [
        .zero, .milliseconds(100), .milliseconds(250), .milliseconds(500), .milliseconds(1_000),
        .milliseconds(2_000),
    ]
    /// In a search after others in vain, where silence is the likely answer.
    static let laterProbeTimes: [Nanoseconds] = [.zero, .milliseconds(250), .milliseconds(1_000)]
    static var quickSearches: Int { 2 }
    static var searchDuration: Nanoseconds { .seconds(3) }
    /// How long a better protocol may take after NAT-PMP has answered.
    static var graceAfterNATPMP: Nanoseconds { .milliseconds(50) }
    /// UPnP is chosen when the others have been silent for this long.
    static var graceForDatagrams: Nanoseconds { .milliseconds(250) }

    /// From each try of a request to the next one, or to giving up. That is quicker at first than
    /// RFC 6886 §3.1 and RFC 6887 §8.1.1, but seven datagrams to a gateway that has just answered.
    static let requestGaps: [Nanoseconds] = [
        .milliseconds(100), .milliseconds(150), .milliseconds(250), .milliseconds(500),
        .milliseconds(1_000), .milliseconds(1_000), .milliseconds(2_000),
    ]
    static var releaseRetry: Nanoseconds { .milliseconds(250) }
    static var exchangeTimeout: Nanoseconds { .seconds(3) }
    static var portChoicesMax: Int { 4 }

    /// After `count` searches in a row in which nothing answered, or all refused: 5 and 10 s, then 10,
    /// 20 and 30 minutes. A gateway that comes to offer it says so (RFC 6886 §3.2.1), and each change of
    /// the network begins anew. SSDP's NOTIFY is not listened for: every television of a house sends
    /// some each few minutes, and each would wake an idle node to learn nothing.
    static func rest(after count: Int) -> Nanoseconds {
        count <= quickSearches
            ? .seconds(5) * Int64(count)
            : .minutes(min(30, 10 * Int64(min(count - quickSearches, 3))))
    }
    static var refusalMin: Nanoseconds { .minutes(1) }
    /// Likewise for a protocol that answered before and fell silent.
    static var silenceMin: Nanoseconds { .seconds(5) }
    static var refusalMax: Nanoseconds { .minutes(30) }

    /// How often a gateway that holds a mapping is asked whether it lost it.
    static var checkInterval: Nanoseconds { .minutes(2) }
    /// A failed renewal is tried again after a quarter of what is left, but not sooner.
    static var renewalRetryMin: Nanoseconds { .seconds(10) }
    /// The least time between two new mappings because of a restart; doubles up to the other.
    static var restartGapMin: Nanoseconds { .seconds(5) }
    static var restartGapMax: Nanoseconds { .minutes(10) }

    /// How long stopping waits for gateways.
    static var releaseDuration: Nanoseconds { .milliseconds(1000) }
}
