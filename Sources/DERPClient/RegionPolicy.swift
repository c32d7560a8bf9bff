package import NetTypes

/// Times of a pool of relay connections. The defaults are those of the official client unless said.
package struct RelayPoolConfiguration: Sendable {
    /// A PEM file with authorities to trust besides the system's.
    package var trustFile: String?
    /// Dialling, TLS and login together.
    package var dialTimeout = Nanoseconds.seconds(10)
    /// A connection that brings nothing for so long is dead; relays send a keep-alive each minute or
    /// so. Most that die are noticed before by the kernel, which asks after 100 s.
    package var silenceMax = Nanoseconds.seconds(120)
    /// Regions other than home are left after so long without a packet.
    package var idleMax = Nanoseconds.seconds(60)
    /// That many of those, the ones used last, are kept for longer, idle: who was talked to by a relay,
    /// or directly with the relay behind it, is likely to be again.
    package var keptMax = 3
    package var keptFor = Nanoseconds.minutes(10)
    /// A region's next node is dialled beside one that takes longer than this.
    package var staggerDelay = Nanoseconds.milliseconds(300)
    /// A region that was reached before and cannot be again counts as unreachable after so long, or four
    /// times its latency or twice what reaching it took where that is more; the longer time is for one
    /// that never was.
    package var doubtDelay = Nanoseconds.milliseconds(500)
    package var doubtDelayAtFirst = Nanoseconds.seconds(5)
    /// The first ping on a connection: from then on its latency is known.
    package var firstPingDelay = Nanoseconds.seconds(2)
    /// When packets go out but nothing comes back for so long, the relay is asked whether it lives,
    /// and has this long to answer, or four times its latency where that is more. It has longer
    /// while its kernel acknowledges what we send: then the link is slow, not dead.
    package var suspicionDelay = Nanoseconds.milliseconds(500)
    package var suspicionTimeout = Nanoseconds.milliseconds(500)
    package var suspicionTimeoutMax = Nanoseconds.seconds(3)
    /// While the connection is used, our own pings measure latency and find it dead long before
    /// `silenceMax`. An idle one is left alone.
    package var pingInterval = Nanoseconds.seconds(30)
    package var pingTimeout = Nanoseconds.seconds(10)
    /// How long our own kernel may take to say when it last heard from the relay's.
    package var kernelTimeout = Nanoseconds.seconds(3)
    /// Pause after the first failure; doubles up to the maximum, each time shortened at random by up
    /// to a half.
    package var backoffMin = Nanoseconds.milliseconds(250)
    package var backoffMax = Nanoseconds.seconds(5)
    /// A connection that was up so long is dialled again at once when it breaks.
    package var stableAfter = Nanoseconds.seconds(2)
    /// Packets waiting for one region, in bytes; disco messages have a quarter of it to themselves.
    package var outboxBytesMax = 1 << 20
    /// What waited longer for a connection is not sent any more.
    package var outboxAgeMax = Nanoseconds.seconds(5)

    package init() {}
}

/// Decides when the connection to one region is dialled, probed and closed. Time and randomness come
/// in; the owner performs what `poll` says and calls it again at `nextDeadline`.
struct RegionPolicy {
    enum Action: Equatable {
        /// Dial this node of the region (modulo its number of nodes).
        case dial(attempt: Int)
        case ping(UInt64)
        /// The relay does not answer in time: find out whether its kernel does (`noteKernelAlive`).
        case checkKernel
        /// Not used for a while: `keep` it, or it is closed.
        case considerKeeping
        case close(CloseReason)
    }
    enum CloseReason: Equatable {
        case idle
        case silent
        case pingTimeout
        case dialTimeout
    }
    private enum Phase {
        case idle
        case dialing(since: MonotonicInstant)
        case connected(since: MonotonicInstant)
        case backingOff(until: MonotonicInstant)
    }
    private struct Ping {
        var id: UInt64
        var sentAt: MonotonicInstant
        var deadline: MonotonicInstant
        /// Sent because nothing came back.
        var isSuspicion = false
        /// Suspected and still not answering after this, the connection is dead whatever the kernel says.
        var giveUpAt: MonotonicInstant
    }

    private let configuration: RelayPoolConfiguration
    private let nodeCount: Int
    private var phase = Phase.idle
    private var isHome = false
    private var failureCount = 0
    private var attempt = 0
    private var usedAt: MonotonicInstant?
    /// Kept until then although it is not used; nil while it is.
    private var keptUntil: MonotonicInstant?
    private var mayBeKept = false
    private var heardAt: MonotonicInstant?
    private var pingDueAt: MonotonicInstant?
    private var ping: Ping?
    private var probeIsDue = false
    /// Nodes of the region that were dialled since it was last connected or given up, and how many of
    /// them have not failed yet.
    private var dialledCount = 0
    private var outstandingCount = 0
    private var nextNodeAt: MonotonicInstant?
    /// When the first packet went out that nothing has come back for.
    private var unansweredSince: MonotonicInstant?
    private var latency: Nanoseconds?
    /// What the last successful dial took; nil before the first.
    private var dialDuration: Nanoseconds?
    private var doubtAt: MonotonicInstant?
    /// No node of the region could be reached when it was last tried.
    private(set) var isUnreachable = false
    private var restart: (reconnectAt: MonotonicInstant, until: MonotonicInstant)?

    /// `nodeCount` is how many relays the region has.
    init(configuration: RelayPoolConfiguration, nodeCount: Int = 1) {
        self.configuration = configuration
        self.nodeCount = nodeCount
    }

    // MARK: What happened

    mutating func setHome(_ isHome: Bool, at now: MonotonicInstant) {
        // The time of idling begins when the region stops being home.
        if self.isHome, !isHome { usedAt = now }
        self.isHome = isHome
    }

    /// A packet came, or one is likely soon.
    mutating func noteUsed(at now: MonotonicInstant) {
        usedAt = now
        keptUntil = nil
        mayBeKept = true
        if pingDueAt == nil, case .connected = phase {
            pingDueAt = now + configuration.pingInterval
        }
    }

    /// The answer to `considerKeeping`.
    mutating func keep(at now: MonotonicInstant) { keptUntil = now + configuration.keptFor }

    /// Others are to be kept instead.
    mutating func release() { keptUntil = nil }

    /// A packet is to be sent.
    mutating func noteSent(at now: MonotonicInstant) {
        noteUsed(at: now)
        if unansweredSince == nil { unansweredSince = now }
    }

    /// Any frame came.
    mutating func noteHeard(at now: MonotonicInstant) {
        heardAt = now
        unansweredSince = nil
    }

    /// The answer to `checkKernel`: whether the relay's kernel has acknowledged something lately.
    mutating func noteKernelAlive(_ isAlive: Bool, at now: MonotonicInstant) {
        guard let asked = ping, asked.isSuspicion else { return }
        if isAlive, now < asked.giveUpAt {
            let deadline = min(now + suspicionTimeout, asked.giveUpAt)
            ping?.deadline = deadline
        } else {
            ping?.isSuspicion = false
            ping?.deadline = now
            unansweredSince = nil
        }
    }

    mutating func noteConnected(at now: MonotonicInstant) {
        if case .dialing(let since) = phase { dialDuration = now - since }
        phase = .connected(since: now)
        heardAt = now
        unansweredSince = nil
        isUnreachable = false
        pingDueAt = now + configuration.firstPingDelay
        ping = nil
        doubtAt = nil
        restart = nil
    }

    /// The failure about to be noted was our own: it calls for another dial, not for a pause.
    mutating func forgiveFailure() { dialledCount = min(dialledCount, nodeCount - 1) }

    /// One of the nodes could not be reached.
    mutating func noteDialFailed(
        at now: MonotonicInstant, random: inout some RandomNumberGenerator
    ) {
        guard case .dialing = phase else { return }
        outstandingCount -= 1
        if dialledCount < nodeCount {
            nextNodeAt = now
        } else if outstandingCount <= 0 {
            noteDisconnected(at: now, random: &random)
        }
    }

    /// All dials failed or the connection ended.
    mutating func noteDisconnected(
        at now: MonotonicInstant, random: inout some RandomNumberGenerator
    ) {
        let wasSuspect = ping.map { $0.deadline <= now } ?? false
        ping = nil
        pingDueAt = nil
        unansweredSince = nil
        switch phase {
        case .idle, .backingOff: return
        case .connected(let since) where now - since >= configuration.stableAfter:
            failureCount = 0
            // One that fell silent, or says that it goes away, is not the one to ask first.
            attempt = (wasSuspect || restart != nil) && nodeCount > 1 ? attempt + 1 : 0
            let pause = nodeCount > 1 ? nil : restart?.reconnectAt
            phase = .backingOff(until: pause ?? now)
        case .connected, .dialing:
            if case .dialing = phase {
                isUnreachable = true
                doubtAt = nil
                keptUntil = nil
            }
            let pause = backoff(random: &random)
            failureCount += 1
            attempt += 1
            phase = .backingOff(until: max(now + pause, restart?.reconnectAt ?? now))
        }
        if !isWanted(at: now) { phase = .idle }
    }

    private func backoff(random: inout some RandomNumberGenerator) -> Nanoseconds {
        let doubled = configuration.backoffMin * Int64(1 << min(failureCount, 16))
        let pause = min(doubled, configuration.backoffMax)
        let cut = random.next(upperBound: UInt64(max(1, pause.count / 2)))
        return Nanoseconds(count: pause.count - Int64(cut))
    }

    /// The relay says it goes away and when to come back.
    mutating func noteRestarting(
        reconnectIn: Nanoseconds, tryFor: Nanoseconds, at now: MonotonicInstant
    ) {
        // A relay may not keep us away for longer than a minute.
        let pause = min(reconnectIn, .seconds(60))
        restart = (now + pause, now + pause + tryFor)
    }

    /// The answer to our ping: the round trip, when it is the one that was asked for.
    mutating func notePong(_ id: UInt64, at now: MonotonicInstant) -> Nanoseconds? {
        guard let ping, ping.id == id else { return nil }
        self.ping = nil
        let measured = now - ping.sentAt
        latency = measured
        return measured
    }

    /// Links changed: prove the connection soon, or dial without waiting any longer.
    mutating func probe(at now: MonotonicInstant) {
        switch phase {
        case .idle, .dialing: break
        case .connected: probeIsDue = true
        case .backingOff:
            failureCount = 0
            phase = .backingOff(until: now)
        }
    }

    // MARK: What to do

    private func isWanted(at now: MonotonicInstant) -> Bool {
        isHome || isInUse(at: now) || keptUntil.map { now < $0 } ?? false
    }

    private func isInUse(at now: MonotonicInstant) -> Bool {
        usedAt.map { now - $0 < configuration.idleMax } ?? false
    }

    mutating func poll(
        at now: MonotonicInstant, random: inout some RandomNumberGenerator
    ) -> Action? {
        switch phase {
        case .idle:
            return isWanted(at: now) ? dial(at: now) : nil
        case .backingOff(let until):
            guard isWanted(at: now) else {
                phase = .idle
                return nil
            }
            return until <= now ? dial(at: now) : nil
        case .dialing(let since):
            if now - since >= configuration.dialTimeout { return .close(.dialTimeout) }
            if let doubtAt, doubtAt <= now {
                self.doubtAt = nil
                isUnreachable = true
            }
            guard let nextNodeAt, nextNodeAt <= now else { return nil }
            attempt += 1
            return dialNode(at: now)
        case .connected: return pollConnected(at: now, random: &random)
        }
    }

    private mutating func dial(at now: MonotonicInstant) -> Action {
        phase = .dialing(since: now)
        dialledCount = 0
        outstandingCount = 0
        if doubtAt == nil, !isUnreachable {
            let patience = dialDuration.map { duration in
                max(configuration.doubtDelay, max(duration * 2, (latency ?? .zero) * 4))
            }
            doubtAt = now + (patience ?? configuration.doubtDelayAtFirst)
        }
        return dialNode(at: now)
    }

    private mutating func dialNode(at now: MonotonicInstant) -> Action {
        dialledCount += 1
        outstandingCount += 1
        nextNodeAt = dialledCount < nodeCount ? now + configuration.staggerDelay : nil
        return .dial(attempt: attempt)
    }

    private mutating func pollConnected(
        at now: MonotonicInstant, random: inout some RandomNumberGenerator
    ) -> Action? {
        if !isWanted(at: now) {
            guard mayBeKept else { return .close(.idle) }
            mayBeKept = false
            return .considerKeeping
        }
        if let heardAt, now - heardAt >= configuration.silenceMax { return .close(.silent) }
        if probeIsDue {
            probeIsDue = false
            return suspect(at: now, random: &random)
        }
        if let suspicionAt, suspicionAt <= now, ping?.isSuspicion != true {
            return suspect(at: now, random: &random)
        }
        if let ping {
            // Anything heard since proves as much as the answer does.
            guard ping.deadline <= now else { return nil }
            if let heardAt, heardAt > ping.sentAt {
                self.ping = nil
                return nil
            }
            guard ping.isSuspicion else { return .close(.pingTimeout) }
            // Until the answer is in.
            self.ping?.deadline = now + configuration.kernelTimeout
            return .checkKernel
        }
        guard let pingDueAt, pingDueAt <= now else { return nil }
        guard latency == nil || isInUse(at: now) else {
            self.pingDueAt = nil
            return nil
        }
        return send(timeout: configuration.pingTimeout, at: now, random: &random)
    }

    /// Asks for a sign of life with little patience; a ping under way becomes such a question.
    private mutating func suspect(
        at now: MonotonicInstant, random: inout some RandomNumberGenerator
    ) -> Action? {
        var action: Action?
        if let ping, let heardAt, heardAt > ping.sentAt { self.ping = nil }
        if ping == nil { action = send(timeout: suspicionTimeout, at: now, random: &random) }
        ping?.isSuspicion = true
        let deadline = now + suspicionTimeout
        ping?.deadline = deadline
        ping?.giveUpAt = now + configuration.pingTimeout
        return action
    }

    private var suspicionAt: MonotonicInstant? {
        unansweredSince.map { $0 + configuration.suspicionDelay }
    }

    private var suspicionTimeout: Nanoseconds {
        min(
            max(configuration.suspicionTimeout, (latency ?? .zero) * 4),
            configuration.suspicionTimeoutMax)
    }

    private mutating func send(
        timeout: Nanoseconds, at now: MonotonicInstant, random: inout some RandomNumberGenerator
    ) -> Action {
        let id: UInt64 = random.next()
        ping = Ping(id: id, sentAt: now, deadline: now + timeout, giveUpAt: now + timeout)
        pingDueAt = now + configuration.pingInterval
        return .ping(id)
    }

    var nextDeadline: MonotonicInstant? {
        let idleAt = isHome ? nil : keptUntil ?? usedAt.map { $0 + configuration.idleMax }
        switch phase {
        case .idle: return nil
        case .backingOff(let until): return until
        case .dialing(let since):
            return earliest(since + configuration.dialTimeout, earliest(nextNodeAt, doubtAt))
        case .connected:
            let silentAt = heardAt.map { ($0 + configuration.silenceMax).onCoarseGrid }
            let pingAt =
                ping.map { earliest($0.deadline, $0.isSuspicion ? nil : suspicionAt) }
                ?? earliest(pingDueAt, suspicionAt)
            return earliest(earliest(idleAt, silentAt), pingAt)
        }
    }
}
