package import NetTypes

/// Times of a pool of relay connections. The defaults are those of the official client unless said.
package struct RelayPoolConfiguration: Sendable {
    /// A PEM file with authorities to trust besides the system's.
    package var trustFile: String?
    /// Dialling, TLS and login together.
    package var dialTimeout = Nanoseconds.seconds(10)
    /// A connection that brings nothing for so long is dead; relays send a keep-alive each minute.
    package var silenceMax = Nanoseconds.seconds(120)
    /// Regions other than home are left after so long without a packet.
    package var idleMax = Nanoseconds.seconds(60)
    /// Our own pings measure latency and find dead connections long before `silenceMax`.
    package var pingInterval = Nanoseconds.seconds(30)
    package var pingTimeout = Nanoseconds.seconds(10)
    /// After a change of links.
    package var probeTimeout = Nanoseconds.seconds(3)
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
    }

    private let configuration: RelayPoolConfiguration
    private var phase = Phase.idle
    private var isHome = false
    private var failureCount = 0
    private var attempt = 0
    private var usedAt: MonotonicInstant?
    private var heardAt: MonotonicInstant?
    private var pingDueAt: MonotonicInstant?
    private var ping: Ping?
    private var probeIsDue = false
    private var restart: (reconnectAt: MonotonicInstant, until: MonotonicInstant)?

    init(configuration: RelayPoolConfiguration) { self.configuration = configuration }

    // MARK: What happened

    mutating func setHome(_ isHome: Bool, at now: MonotonicInstant) {
        // The time of idling begins when the region stops being home.
        if self.isHome, !isHome { usedAt = now }
        self.isHome = isHome
    }

    /// A packet is to be sent, or one came.
    mutating func noteUsed(at now: MonotonicInstant) { usedAt = now }

    /// Any frame came.
    mutating func noteHeard(at now: MonotonicInstant) { heardAt = now }

    mutating func noteConnected(at now: MonotonicInstant) {
        phase = .connected(since: now)
        heardAt = now
        pingDueAt = now + configuration.pingInterval
        ping = nil
        restart = nil
    }

    /// The dial failed or the connection ended.
    mutating func noteDisconnected(
        at now: MonotonicInstant, random: inout some RandomNumberGenerator
    ) {
        ping = nil
        pingDueAt = nil
        switch phase {
        case .idle, .backingOff: return
        case .connected(let since) where now - since >= configuration.stableAfter:
            failureCount = 0
            attempt = 0
            phase = .backingOff(until: restart?.reconnectAt ?? now)
        case .connected, .dialing:
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
        return now - ping.sentAt
    }

    /// Links changed: prove the connection, or dial without waiting any longer.
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
        isHome || usedAt.map { now - $0 < configuration.idleMax } ?? false
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
            return now - since >= configuration.dialTimeout ? .close(.dialTimeout) : nil
        case .connected: return pollConnected(at: now, random: &random)
        }
    }

    private mutating func dial(at now: MonotonicInstant) -> Action {
        phase = .dialing(since: now)
        return .dial(attempt: attempt)
    }

    private mutating func pollConnected(
        at now: MonotonicInstant, random: inout some RandomNumberGenerator
    ) -> Action? {
        if !isWanted(at: now) { return .close(.idle) }
        if let heardAt, now - heardAt >= configuration.silenceMax { return .close(.silent) }
        if probeIsDue { return send(timeout: configuration.probeTimeout, at: now, random: &random) }
        if let ping {
            // Anything heard since proves as much as the answer does.
            guard ping.deadline <= now else { return nil }
            if let heardAt, heardAt > ping.sentAt {
                self.ping = nil
                return nil
            }
            return .close(.pingTimeout)
        }
        guard let pingDueAt, pingDueAt <= now else { return nil }
        return send(timeout: configuration.pingTimeout, at: now, random: &random)
    }

    private mutating func send(
        timeout: Nanoseconds, at now: MonotonicInstant, random: inout some RandomNumberGenerator
    ) -> Action {
        probeIsDue = false
        let id: UInt64 = random.next()
        ping = Ping(id: id, sentAt: now, deadline: now + timeout)
        pingDueAt = now + configuration.pingInterval
        return .ping(id)
    }

    var nextDeadline: MonotonicInstant? {
        let idleAt = isHome ? nil : usedAt.map { $0 + configuration.idleMax }
        switch phase {
        case .idle: return nil
        case .backingOff(let until): return until
        case .dialing(let since): return since + configuration.dialTimeout
        case .connected:
            let silentAt = heardAt.map { $0 + configuration.silenceMax }
            let pingAt = ping?.deadline ?? pingDueAt
            return earliest(earliest(idleAt, silentAt), pingAt)
        }
    }
}
