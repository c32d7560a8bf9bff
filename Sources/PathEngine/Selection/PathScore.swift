import NetTypes

/// Compares paths by their measured quality and by what their address says. Pure arithmetic.
enum PathScore {
    /// Makes every direct path better than any through a peer relay.
    private static var relayedPenalty: Int64 { 1_000_000_000_000 }

    /// The cost of a path in nanoseconds: its smoothed round trip and half of how much that varies,
    /// less a tenth for IPv6, a fifth for a private and a third for a link-local address, three
    /// quarters for loopback. A path that has never answered costs more than any other.
    static func cost(_ endpoint: Endpoint, _ quality: PathQuality) -> Int64 {
        guard let roundTrip = quality.roundTrip else { return .max }
        let measured = roundTrip.count + quality.variation.count / 2
        if endpoint.isRelayedPath { return measured + relayedPenalty }
        let address = endpoint.address
        let weight: Int64 =
            if address.isLoopback { 25 } else if address.isLinkLocal {
                67
            } else if address.isPrivate { 80 } else { 100 }
        let familyWeight: Int64 = address.isIPv6 ? 90 : 100
        return measured / 100 * weight / 100 * familyWeight
    }

    /// Whether a path of cost `new` is so much better than the present one that traffic should move:
    /// by a fifth, but no less than 0.2 ms and no more than 5 ms.
    static func isWorthSwitching(from present: Int64, to new: Int64) -> Bool {
        guard new != .max else { return false }
        guard present != .max else { return true }
        let margin = min(max(present / 5, 200_000), 5_000_000)
        return new < present - margin
    }
}
