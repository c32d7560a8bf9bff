internal import NetTypes

/// Every length of time and every limit of the engine.
enum PathTiming {
    // Sessions
    /// A peer we have sent nothing for this long is idle and gets nothing from us.
    static var sessionTimeout: Nanoseconds { .seconds(45) }
    /// While it is not, its relay is said to be likely to be needed this often: before the connection
    /// to that is closed for being idle.
    static var relayNoteInterval: Nanoseconds { .seconds(20) }
    /// The trusted path is pinged this often while the session is active.
    static var heartbeatInterval: Nanoseconds { .seconds(3) }
    /// A pong, or data on the path, makes it carry traffic alone for this long.
    static var trustDuration: Nanoseconds { .milliseconds(6_500) }
    /// An address learnt from the peer's own packets is forgotten this long after the last one.
    static var observationLifetime: Nanoseconds { .seconds(45) }

    // Pings
    /// A ping without answer is given up.
    static var pingTimeout: Nanoseconds { .seconds(5) }
    /// A candidate is pinged at the start of a round and again after each of these gaps: at 0, 50,
    /// 150, 350 and 750 ms.
    static let retransmitGaps: [Nanoseconds] = [
        .milliseconds(50), .milliseconds(100), .milliseconds(200), .milliseconds(400),
    ]
    /// Least time between two pings to one candidate, whatever asks for them.
    static var candidatePingGap: Nanoseconds { .milliseconds(50) }
    /// Least time between pings that a peer's packets trigger while we have nothing to send.
    static var idleTriggerGap: Nanoseconds { .seconds(5) }

    // Discovery rounds
    /// Time from the start of a round to the next one, while traffic has no trusted direct path.
    static func roundGap(after round: Int) -> Nanoseconds {
        switch round {
        case 1: .seconds(2)
        case ...8: .seconds(5)
        case ...20: .seconds(15)
        default: .seconds(30)
        }
    }
    /// The same where no candidate of the peer has a fair chance: see `Prospects`.
    static func hopelessRoundGap(after round: Int) -> Nanoseconds {
        switch round {
        case 1: .seconds(2)
        case 2: .seconds(8)
        default: .seconds(30)
        }
    }
    /// Least time between pings to such a candidate that the peer's CallMeMaybe cause.
    static var sparingPingGap: Nanoseconds { .seconds(5) }
    /// With a trusted direct path that is not good enough, the others are tried this often.
    static var upgradeInterval: Nanoseconds { .seconds(60) }
    static var goodEnoughRoundTrip: Nanoseconds { .milliseconds(5) }
    /// The second-best path is kept warm: more seldom where NAT mappings are known to live for longer,
    /// and often enough to stay a standby when a ping is lost.
    static func standbyInterval(lifetime: Nanoseconds?) -> Nanoseconds {
        min(max(.seconds(12), lifetime ?? .zero), standbyLifetime * 2 / 5)
    }
    /// A standby that has not answered for this long is none.
    static var standbyLifetime: Nanoseconds { .seconds(60) }

    // Doubt
    /// Bounds of the time without an answer after which the path is verified, and again of the time
    /// the verification may take before the relay carries a copy of everything.
    static var patienceMin: Nanoseconds { .milliseconds(100) }
    static var patienceMax: Nanoseconds { .seconds(1) }
    /// However calm, a path on which nothing comes back is verified this often while it is used, or
    /// more often where answers take long: the failure must be seen within the budget.
    static func calmPatience(_ calm: Int64, patience: Nanoseconds) -> Nanoseconds {
        guard calm > 1 else { return patience }
        return max(
            candidatePingGap,
            min(patience * calm, .milliseconds(200), failureBudget - patience))
    }
    /// From the first packet that is lost to the copies by relay.
    static var failureBudget: Nanoseconds { .milliseconds(260) }
    /// How long the second ping of a verification may wait for the answer to the first.
    static var retryGapMax: Nanoseconds { .milliseconds(150) }
    /// How long an answer to a heartbeat may take, at the least, before the path is verified.
    static var heartbeatPatience: Nanoseconds { .milliseconds(250) }
    /// A packet by relay after this long without any is news.
    static var relayedOnset: Nanoseconds { .milliseconds(500) }
    /// The peer used the direct path lately if data came on it within this time.
    static var directDataRecency: Nanoseconds { .seconds(2) }
    /// A path that fails to answer for this long is given up; the relay alone carries the traffic.
    static var verificationTimeout: Nanoseconds { .seconds(5) }
    /// A path on which data still comes in fails when more than this many pings in a row are lost.
    static var missedPingsMax: Int { 2 }
    /// Time until the next verification ping, when `sent` have gone out.
    static func verificationGap(after sent: Int) -> Nanoseconds {
        switch sent {
        case ...4: .milliseconds(100)
        case ...10: .milliseconds(250)
        default: .seconds(1)
        }
    }

    // Datagram sizes
    /// A ping with a node key and no padding: envelope, nonce, tag, type, version, ID, key.
    static var plainPingByteCount: Int { 38 + 24 + 16 + 2 + 12 + 32 }
    /// Taken to pass every path until the contrary is seen (BASE_PLPMTU of RFC 8899 §5.1.2).
    static var datagramBase: Int { 1_200 }
    /// What IPv4 networks must carry: 576 bytes without the headers (RFC 791).
    static var datagramFloor: Int { 548 }
    /// The search ends when it is as close as this.
    static var datagramResolution: Int { 16 }
    /// A size does not pass when this many pings of it are lost in a row (MAX_PROBES).
    static var sizeProbesMax: Int { 3 }
    /// Until larger sizes are tried again (PMTU_RAISE_TIMER).
    static var sizeRaiseInterval: Nanoseconds { .minutes(10) }
    /// Datagrams from here on are watched for black holes: after so many of them, but no more often
    /// than this, a ping of their size is sent.
    static var largeDatagramMin: Int { 512 }
    static var largeDatagramsPerCheck: Int { 12 }
    static var sizeCheckGap: Nanoseconds { .milliseconds(250) }

    // CallMeMaybe
    /// Own endpoints older than this may have lost their NAT mapping.
    static var endpointsFreshDuration: Nanoseconds { .seconds(27) }
    /// Least time between two CallMeMaybe that say the same.
    static var callMeMaybeGap: Nanoseconds { .milliseconds(1_500) }
    /// Least time between two, when our endpoints have changed.
    static var changedCallMeMaybeGap: Nanoseconds { .milliseconds(200) }
    /// A CallMeMaybe of the peer is answered by ours unless it was told this lately.
    static var callMeMaybeAnswerGap: Nanoseconds { .seconds(3) }
    static var hopelessAnswerGap: Nanoseconds { .seconds(30) }
    /// A STUN round that brought nothing by now is asked for again.
    static var endpointRequestGap: Nanoseconds { .seconds(3) }

    /// A timer this late means that the machine was suspended.
    static var suspendLateness: Nanoseconds { .seconds(10) }

    // What people are told
    /// A path lost this lately is named as the reason.
    static var lossMemory: Nanoseconds { .seconds(20) }
    /// A search is not yet in vain.
    static var searchPatience: Nanoseconds { .seconds(2) }

    // Limits
    static var candidatesMax: Int { 100 }
    /// Of those, at most this many that are known from the peer's packets alone.
    static var observedMax: Int { 32 }
    static var outstandingPingsMax: Int { 256 }
    static var callMeMaybeEndpointsMax: Int { 32 }
    static var transmitQueueMax: Int { 4_096 }
    static var eventQueueMax: Int { 1_024 }
    static var peersMax: Int { 65_536 }
}

extension MonotonicInstant {
    /// Before anything that happens.
    static var never: Self { Self(nanoseconds: 0) }
}
