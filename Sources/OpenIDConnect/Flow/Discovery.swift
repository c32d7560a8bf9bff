import NetTypes

/// What is known of a provider, how old it is, and when it may be asked again: a provider that is
/// down is asked ever less often, and what it said before stays good for a day.
struct Discovery: Sendable {
    /// After so long it is asked again before it is used.
    static var freshness: Nanoseconds { .minutes(60) }
    /// So long it is used while nobody answers.
    static var staleness: Nanoseconds { .minutes(24 * 60) }
    /// Keys that a token names and that are not there are looked for at most so often.
    static var keyPause: Nanoseconds { .minutes(1) }
    static var firstPause: Nanoseconds { .seconds(2) }
    static var longestPause: Nanoseconds { .minutes(5) }

    private(set) var metadata: ProviderMetadata?
    private(set) var keys: KeySet?
    private var metadataRead: MonotonicInstant?
    /// When keys were last asked for, with whatever result.
    private var keysAsked: MonotonicInstant?
    private var failures = 0
    private var lastFailure: MonotonicInstant?
    /// Why the last time was in vain.
    private(set) var fault: String?

    init(known metadata: ProviderMetadata? = nil) { self.metadata = metadata }

    enum Need: Equatable {
        case nothing
        /// It has to be asked first; what is known will do if that fails.
        case refresh
        /// It is not known, and was asked in vain a moment ago.
        case pause
    }

    func need(at now: MonotonicInstant) -> Need {
        // What the configuration says needs no asking.
        guard metadata?.issuer != nil || metadata == nil else { return .nothing }
        if let metadataRead, keys != nil, now - metadataRead < Self.freshness { return .nothing }
        guard isPausing(at: now) else { return .refresh }
        return isUsable(at: now) ? .nothing : .pause
    }

    /// Whether a sign-in can go on with what is known.
    func isUsable(at now: MonotonicInstant) -> Bool {
        guard let metadata else { return false }
        guard metadata.issuer != nil else { return true }
        guard let metadataRead, keys != nil else { return false }
        return now - metadataRead < Self.staleness
    }

    private func isPausing(at now: MonotonicInstant) -> Bool {
        guard let lastFailure, failures > 0 else { return false }
        let pause = min(
            Self.firstPause * (1 << Int64(min(failures - 1, 20))), Self.longestPause)
        return now - lastFailure < pause
    }

    mutating func note(
        _ metadata: ProviderMetadata, _ keys: KeySet, at now: MonotonicInstant
    ) {
        self.metadata = metadata
        self.keys = keys
        metadataRead = now
        keysAsked = now
        failures = 0
        fault = nil
    }

    mutating func noteFailure(_ fault: String, at now: MonotonicInstant) {
        failures += 1
        lastFailure = now
        self.fault = fault
    }

    func mayAskForKeys(at now: MonotonicInstant) -> Bool {
        guard let keysAsked else { return true }
        return now - keysAsked >= Self.keyPause
    }

    /// Nil: they were asked for in vain, and the old ones stay.
    mutating func noteKeys(_ keys: KeySet?, at now: MonotonicInstant) {
        keysAsked = now
        if let keys { self.keys = keys }
    }
}
