import NetTypes
import PathEngine

/// One plain sentence about what stands in the way of a direct path to the machine `name`.
func sentence(_ obstacle: PathObstacle, _ name: String) -> String {
    switch obstacle {
    case .idle: "nothing was sent to \(name) lately, so no direct path is kept"
    case .noDiscoKey: "\(name) has not announced a key for path finding"
    case .searching: "the search for a direct path has just begun"
    case .lost(let endpoint): "the direct path to \(endpoint) has stopped working"
    case .ownUDPBlocked: "UDP seems to be blocked on this side: no STUN server answers"
    case .peerUDPBlocked:
        "UDP seems to be blocked on the side of \(name): it knows no public address of its own"
    case .bothHard:
        "the NATs on both sides use another port for each destination (hard NAT)"
    case .ownHard:
        "the NAT on this side uses another port for each destination (hard NAT), and the side of "
            + "\(name) does not let in what it does not expect"
    case .peerHard:
        "the NAT on the side of \(name) uses another port for each destination (hard NAT), and this "
            + "side does not let in what it does not expect"
    case .unanswered(let count):
        "none of the \(count) known addresses of \(name) answers: a firewall or NAT in between lets "
            + "nothing in"
    }
}
