import CryptoPrimitives
import Disco
import NetTypes

/// What a peer's machine wants done; the engine seals, queues and counts.
enum PeerAction: Equatable {
    /// Pads the datagram to so many bytes; 0: not at all.
    case ping(Endpoint, byteCount: Int = 0)
    /// Data wants a direct path: tell the peer where we are, as soon as the rate allows.
    case callMeMaybeWanted
    /// Tell it now.
    case callMeMaybe
    /// There is no direct path: a way through another node would do.
    case peerRelayWanted
    /// The relay to fall back to is to be ready.
    case relayLikely(region: Int)
    case pathChanged(Endpoint?)
    case pingTimedOut(UInt64)
}

/// All that is known about one peer's paths. Its concerns lie in files of their own:
/// `Peer+Candidates`, `Peer+Discovery`, `Peer+Selection`, `Peer+CallMeMaybe`.
struct Peer {
    var configuration: PathPeer
    /// Made when first needed; nil as well when the peer has no usable disco key.
    var box: DiscoBox?
    var candidates = CandidateTable()
    var prospects = Prospects()
    var standbyInterval = PathTiming.standbyInterval(lifetime: nil)
    var selection = Selection()
    var discovery = Discovery()
    var signalling = Signalling()
    var activity = Activity()
    var pings = OutstandingPings()
    var hardNAT = HardNATMemory()
    var relaySearch = RelaySearch()
    /// Bounds the pings sent to, and the pongs sent for, this peer.
    var pingBudget = TokenBucket(burst: 120, interval: .milliseconds(25))
    var pongBudget = TokenBucket(burst: 200, interval: .milliseconds(20))
    /// Bounds the switches between paths that both work.
    var preferences = TokenBucket(burst: 3, interval: .minutes(2))
    /// The region through which the peer's packets last came.
    var lastRelayRegion: Int?
    /// The relay of the peer's home says that it is not there: the netmap may be behind.
    var isHomeGone = false
    /// The last source of data that was not the selected path, looked at once a second.
    var lastOtherSource: Endpoint?
    var lastOtherSourceAt = MonotonicInstant.never
    /// The direct path that failed last.
    var lostEndpoint: Endpoint?
    var lostAt = MonotonicInstant.never
    /// Packets of the peer came from another port of an address than it says it has.
    var mappingVaries = false
    /// When `service` is next due. Kept by the engine.
    var deadline: MonotonicInstant?
    var isScheduled = false

    /// The largest datagram we shall want to send it.
    let datagramMax: Int

    init(_ configuration: PathPeer, datagramMax: Int) {
        self.configuration = configuration
        self.datagramMax = datagramMax
    }

    /// When we last heard from and wrote to the peer. `.never` as long as we have not.
    struct Activity {
        var lastSentAt = MonotonicInstant.never
        var lastReceivedAt = MonotonicInstant.never
        /// Data last came on the selected path.
        var lastDirectDataAt = MonotonicInstant.never
        /// The peer last showed that the selected path works, by data or a pong on it.
        var lastProofAt = MonotonicInstant.never
        /// The first packet sent since then.
        var firstUnansweredAt = MonotonicInstant.never
        /// Data, or a copy of data, last came by relay.
        var lastRelayedAt = MonotonicInstant.never
        /// The session is served: timers run.
        var isActive = false
        var activeSince = MonotonicInstant.never
        /// The region of the relay was last said to be likely to be needed; `.never`: it is new.
        var relayNotedAt = MonotonicInstant.never
    }

    var canProbe: Bool { !configuration.discoKey.isZero }
    var relayRegion: Int? {
        isHomeGone
            ? lastRelayRegion ?? configuration.homeRelay
            : configuration.homeRelay ?? lastRelayRegion
    }

    /// A path, direct or through a peer relay, carries the peer's traffic alone.
    func isTrusted(at now: MonotonicInstant) -> Bool { selection.isTrusted(at: now) }

    /// A direct path carries the peer's traffic alone.
    func isDirect(at now: MonotonicInstant) -> Bool {
        selection.isTrusted(at: now) && selection.endpoint?.isRelayedPath == false
    }

    func isInSession(at now: MonotonicInstant) -> Bool {
        activity.lastSentAt != .never && now - activity.lastSentAt < PathTiming.sessionTimeout
    }

    // MARK: Time

    /// Does whatever is due.
    mutating func service(at now: MonotonicInstant, into actions: inout [PeerAction]) {
        pings.expire(at: now) { actions.append(.pingTimedOut($0)) }
        switch (activity.isActive, isInSession(at: now)) {
        case (true, false): endSession()
        case (false, true): beginSession(at: now)
        default: break
        }
        noteRelayLikely(at: now, into: &actions)
        if activity.isActive, canProbe {
            serviceMTU(at: now, into: &actions)
            serviceSelection(at: now, into: &actions)
            serviceDiscovery(at: now, into: &actions)
        }
        serviceCallMeMaybe(at: now, into: &actions)
        serviceProbes(at: now, into: &actions)
    }

    /// When `service` should be called next, not before `now`; nil for an idle peer.
    func nextDeadline(after now: MonotonicInstant) -> MonotonicInstant? {
        var next = earliest(pings.requestDeadline, probeDeadline)
        next = earliest(next, callMeMaybeDeadline)
        if isInSession(at: now), !activity.isActive { return now }
        if activity.isActive {
            next = earliest(next, activity.lastSentAt + PathTiming.sessionTimeout)
            if activity.relayNotedAt == .never { return now }
            if canProbe {
                next = earliest(next, selectionDeadline(after: now))
                next = earliest(next, mtuDeadline(at: now))
                next = earliest(next, discoveryDeadline(at: now))
            }
        }
        return next.map { max($0, now) }
    }

    /// Rides on whatever else wakes the peer; nobody is woken for saying it again.
    private mutating func noteRelayLikely(
        at now: MonotonicInstant, into actions: inout [PeerAction]
    ) {
        guard activity.isActive,
            activity.relayNotedAt == .never
                || now - activity.relayNotedAt >= PathTiming.relayNoteInterval
        else { return }
        activity.relayNotedAt = now
        if let region = relayRegion { actions.append(.relayLikely(region: region)) }
    }

    // MARK: Sessions

    /// The first packet after a silence: a path that is no longer trusted is looked for at once, and
    /// the old one gets a chance to prove itself meanwhile.
    private mutating func beginSession(at now: MonotonicInstant) {
        activity.isActive = true
        activity.activeSince = now
        activity.relayNotedAt = .never
        candidates.expire(keeping: selection.endpoint, at: now)
        guard canProbe else { return }
        if isTrusted(at: now) {
            selection.heartbeat.nextAt = now
        } else {
            doubtSelection(at: now)
        }
        if isDirect(at: now) {
            discovery.noteDirect(standbyInterval: standbyInterval, at: now)
        } else {
            discovery.begin(at: now)
        }
    }

    private mutating func endSession() {
        activity.isActive = false
        discovery.stop()
        signalling.isPending = false
        candidates.updateAll { $0.probe.stop() }
    }

    /// The network has changed under us: nothing is proven any more.
    mutating func forgetProofs(at now: MonotonicInstant) {
        candidates.updateAll {
            $0.quality.forgetProof()
            $0.mtu = PathMTU()
            $0.probe.stop()
        }
        pings.removeAll()
        selection.distrust()
        signalling.forget()
        if isInSession(at: now), canProbe {
            activity.isActive = true
            activity.activeSince = now
            doubtSelection(at: now)
            discovery.begin(at: now)
        }
    }

    /// A path that was not in doubt becomes so, and fails at once: the relay takes part until it
    /// answers.
    mutating func doubtSelection(at now: MonotonicInstant) {
        guard selection.endpoint != nil else { return }
        selection.beginVerification(at: now)
        selection.fail()
    }
}
