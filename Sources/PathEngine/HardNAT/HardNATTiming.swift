internal import NetTypes

/// Every length of time and every limit of the work with hard NATs.
///
/// **The sum.** Of N = 64,512 ports (1,024–65,535, what Linux and most routers draw from), h mappings
/// of the hard side and k ports probed by the other meet with P = 1 − e^(−hk/N). With h = 500 and
/// k = 512 that is 98.1 %, with the 128 slow probes behind them 99.3 %. At 200 a second on both sides P
/// passes one half 1.1 s after the start and 95 % at 2.2 s.
///
/// **The load.** A home router may have 1,024 entries for everybody in the house. One side makes 501
/// of them at most in one attempt, the other 640, and no more than 512 and 640 in any two minutes, the
/// least time a mapping lives by RFC 4787, whatever number of peers there are. 200 new flows a
/// second is below what routers take for a flood.
enum HardNATTiming {
    static var ports: ClosedRange<UInt16> { 1_024...UInt16.max }

    // Rates
    /// Sockets or probes go out in batches of four, one each 20 ms: 200 a second.
    static var tick: Nanoseconds { .milliseconds(20) }
    static var perTick: Int { 4 }
    /// After the fast probes one each 20 ms: 50 a second.
    static var perSlowTick: Int { 1 }

    // Amounts
    /// Sockets in one attempt against ports that are drawn at random.
    static var randomSockets: Int { 500 }
    /// Against random ports within one block; 64 × 256 in one of 4,096 meet with 98 %.
    static var blockSockets: Int { 64 }
    /// Against a sequence.
    static var sequenceSockets: Int { 24 }
    /// Where both sides are sequences: each aims at the middle one of the other.
    static var doubleSequenceSockets: Int { 32 }
    static var fastProbes: Int { 512 }
    static var probesMax: Int { 640 }
    static var blockProbes: Int { 256 }
    /// Samples further apart than this are no block.
    static var blockMax: Int { 4_096 }
    /// New mappings that a node makes in any `loadWindow`, and ports that it probes.
    static var mappingsMax: Int { 512 }
    static var loadWindow: Nanoseconds { .minutes(2) }
    /// An attempt with less than this left is put off.
    static var attemptMin: Int { 32 }
    /// Sockets on which something came, beside the one that is used.
    static var hitsMax: Int { 8 }
    /// Ports offered to a peer that does not speak of hard NATs, in a CallMeMaybe.
    static var offeredPorts: Int { 24 }

    // Before
    /// Ordinary ways get this long before a hard NAT is dealt with; less where that worked before.
    static var grace: Nanoseconds { .milliseconds(400) }
    static var knownGrace: Nanoseconds { .milliseconds(150) }
    static var wantedMax: Int { 64 }
    /// Who is not asked for again within this is not wanted any more.
    static var wantedLifetime: Nanoseconds { .seconds(35) }
    static var samples: Int { 6 }
    static var sampleTimeout: Nanoseconds { .milliseconds(500) }
    static var sampleRetry: Nanoseconds { .milliseconds(150) }
    static let requestGaps: [Nanoseconds] = [.milliseconds(700), .seconds(1), .seconds(2)]

    // During
    /// From the first socket to giving up.
    static var openTimeout: Nanoseconds { .seconds(8) }
    /// Mappings of a small attempt are used again after this, for what was lost.
    static var openAgain: Nanoseconds { .milliseconds(700) }
    /// From the last probe to giving up.
    static var probeTimeout: Nanoseconds { .seconds(2) }

    // After
    /// A socket on which nothing has come for this long is closed, unless it is the one in use.
    static var hitLifetime: Nanoseconds { .seconds(10) }
    /// The socket of a path that is not the peer's any more is closed.
    static var disusedLifetime: Nanoseconds { .seconds(30) }
    /// The socket of an idle peer is closed: its mapping is gone in most NATs.
    static var idleLifetime: Nanoseconds { .minutes(3) }
    static var checkInterval: Nanoseconds { .seconds(10) }

    // Back-off
    /// Sampling that taught nothing is tried again after this.
    static var unansweredRetry: Nanoseconds { .seconds(15) }
    static var busyRetry: Nanoseconds { .seconds(3) }
    /// Before the next attempt after `failures` in a row: 2, 4, 8 minutes and so on to an hour.
    static func backOff(after failures: Int) -> Nanoseconds {
        .minutes(min(60, 1 << Int64(min(max(failures, 1), 6))))
    }
    /// Before a peer that did not answer is asked again.
    static func silenceBackOff(after failures: Int) -> Nanoseconds {
        backOff(after: failures) / 4
    }
    /// Where no attempt can help, circumstances are looked at again after this.
    static var hopelessRetry: Nanoseconds { .minutes(5) }
}
