package import NetTypes

/// On which side of a pair something is.
package enum PathSide: Equatable, Sendable {
    case own
    case peer
    case both
}

/// What stands in the way of a direct path to a peer, and on which side, as far as it can be told.
package enum PathObstacle: Equatable, Sendable {
    /// Nothing was sent to it lately: no direct path is kept.
    case idle
    /// The peer announces no disco key, so it cannot be searched for.
    case noDiscoKey
    /// The search has just begun.
    case searching
    /// A direct path worked a short while ago.
    case lost(Endpoint)
    /// A side knows no public address of its own: no STUN server answers it.
    case udpBlocked(PathSide)
    /// One side has IPv4 only, the other IPv6 only.
    case noCommonFamily(ownHasIPv4: Bool)
    /// Both are behind one public address, whose NAT does not lead packets to itself back in.
    case noHairpin(IPAddress)
    /// A NAT on that side shows each destination another port. `retryIn`: when ports are tried
    /// again, where that is known.
    case hardNAT(PathSide, HardNATObstacle, retryIn: Nanoseconds?)
    /// None of the peer's so many addresses answers, and there is no sign of the reason.
    case unanswered(Int)
}

extension PathObstacle {
    /// One plain sentence, without a capital or a stop, for whoever waits for a direct path to `name`.
    package func sentence(to name: String) -> String {
        switch self {
        case .idle: "nothing was sent to \(name) lately, so no direct path is kept"
        case .noDiscoKey: "\(name) has not announced a key for path finding"
        case .searching: "the search for a direct path has just begun"
        case .lost(let endpoint): "the direct path to \(endpoint) has stopped working"
        case .udpBlocked(.own): "UDP seems to be blocked on this side: no STUN server answers"
        case .udpBlocked(.peer):
            "UDP seems to be blocked on the side of \(name): it knows no public address of its own"
        case .udpBlocked(.both):
            "UDP seems to be blocked on both sides: neither knows a public address of its own"
        case .noCommonFamily(let ownHasIPv4):
            ownHasIPv4
                ? "this side has only IPv4, and the side of \(name) only IPv6"
                : "this side has only IPv6, and the side of \(name) only IPv4"
        case .noHairpin(let address):
            "both sides are behind the public address \(address), whose NAT does not lead their "
                + "packets back in (no hairpinning)"
        case .hardNAT(let side, let obstacle, let retryIn):
            Self.hardNAT(side, name) + obstacle.ending(name, isBoth: side == .both)
                + (retryIn.map { "; ports are tried again in \(Self.text($0))" } ?? "")
        case .unanswered(let count):
            "none of the \(count) known addresses of \(name) answers: a firewall or NAT in between "
                + "lets nothing in"
        }
    }

    private static func hardNAT(_ side: PathSide, _ name: String) -> String {
        switch side {
        case .own: "the NAT on this side uses another port for each destination (hard NAT)"
        case .peer:
            "the NAT on the side of \(name) uses another port for each destination (hard NAT)"
        case .both: "the NATs on both sides use another port for each destination (hard NAT)"
        }
    }

    /// Rounded up: seconds, or minutes where there are several.
    private static func text(_ duration: Nanoseconds) -> String {
        let seconds = max(1, Int((duration.count + 999_999_999) / 1_000_000_000))
        return seconds < 100 ? "\(seconds) s" : "\((seconds + 59) / 60) min"
    }
}
