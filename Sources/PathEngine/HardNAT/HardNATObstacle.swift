/// Why the port behind a hard NAT has not been found.
package enum HardNATObstacle: Equatable, Sendable {
    /// The search for it has not begun.
    case notTried
    /// It goes on.
    case trying
    /// Each side's NAT gives every destination a port of its own, and one of them at least draws it.
    case unpredictable
    /// The peer's program does not take part in the search.
    case peerDoesNotHelp
    /// By whoever looks after that side.
    case switchedOff(PathSide)
    /// That side knows no public IPv4 address of its own at which it could be met.
    case noAddress(PathSide)
    /// That side is busy with another search.
    case busy(PathSide)
    /// Ports were tried and none fitted; so many attempts in a row.
    case failed(attempts: Int)
    /// That side has made as many NAT mappings as it may in a while.
    case loadReached(PathSide)
    /// The NAT on our side gave none of our new sockets a port: its table may be full.
    case noRoom

    /// What follows the words about the NAT.
    func ending(_ name: String, isBoth: Bool) -> String {
        let port = isBoth ? "the ports" : "the port"
        switch self {
        case .notTried: return ", and the search for \(port) has not begun"
        case .trying: return ": ports are being tried"
        case .unpredictable: return ", which cannot be foreseen"
        case .peerDoesNotHelp: return ", and \(name) does not help to find \(port)"
        case .switchedOff(.peer): return ", and trying ports is switched off on \(name)"
        case .switchedOff:
            return ", and trying ports is switched off here (skein set --hard-nat=true)"
        case .noAddress(.peer):
            return ", and \(name) knows no public IPv4 address of its own to be met at"
        case .noAddress:
            return ", and this side knows no public IPv4 address of its own to be met at"
        case .busy(.peer): return ", and \(name) is trying ports with another machine"
        case .busy: return ", and this side is trying ports with another machine"
        case .failed(1): return ", and an attempt to find \(port) has failed"
        case .failed(let attempts):
            return ", and \(attempts) attempts to find \(port) have failed"
        case .loadReached(.peer):
            return ", and \(name) has tried as many ports lately as its router is burdened with"
        case .loadReached:
            return ", and this side has tried as many ports lately as its router is burdened with"
        case .noRoom:
            return ", and the one on this side has no room for new ports: its table may be full"
        }
    }
}
