/// What stands in the way of a direct path, as far as it is a matter of hard NATs.
package enum HardNATObstacle: Equatable, Sendable {
    /// Each side's NAT gives every destination a port of its own, and one of them at least draws it.
    case bothUnpredictable
    /// Our NAT is hard, and the peer's program does not help to get through it.
    case peerDoesNotHelp
    case switchedOffHere
    case switchedOffThere
    /// The peer knows no public IPv4 address of its own: UDP is blocked there, or it is only by IPv6.
    case peerHasNoAddress
    /// Ports were tried and none fitted; so many attempts in a row.
    case noLuck(attempts: Int)
    /// The bound on new NAT mappings is reached, here or there.
    case exhausted

    /// One plain sentence.
    package var sentence: String {
        switch self {
        case .bothUnpredictable:
            "the NATs on both sides use another port for each destination, which cannot be foreseen"
        case .peerDoesNotHelp:
            "the NAT here uses another port for each destination, and the peer does not help to find it"
        case .switchedOffHere:
            "the NAT here uses another port for each destination, and trying ports is switched off here"
        case .switchedOffThere:
            "the NAT here uses another port for each destination, and trying ports is switched off there"
        case .peerHasNoAddress:
            "the NAT here uses another port for each destination, and the peer knows no public IPv4 address of its own"
        case .noLuck(let attempts):
            "the NAT here uses another port for each destination; \(attempts) attempts to find it failed"
        case .exhausted:
            "many NAT mappings were made lately; the search goes on in some minutes"
        }
    }
}
