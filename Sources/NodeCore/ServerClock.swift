package import NetTypes

/// The server's idea of the time, which decides when keys expire: a machine whose clock is off must
/// neither drop good peers nor keep expired ones (control protocol §5.10).
package struct ServerClock: Equatable, Sendable {
    private var offset = Nanoseconds.zero

    package init() {}

    /// Takes in the server's time. Differences of up to a minute are the network's; times before
    /// 2023 come from a server that does not know the time itself.
    package mutating func update(serverTime: Timestamp, localTime: Timestamp) {
        guard serverTime.unixSeconds >= 1_673_373_066 else { return }
        let difference = serverTime - localTime
        offset = abs(difference.count) > Nanoseconds.minutes(1).count ? difference : .zero
    }

    /// The server's time when the local clock shows `localTime`.
    package func now(localTime: Timestamp) -> Timestamp { localTime + offset }
}
