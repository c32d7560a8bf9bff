import Disco
import NetTypes

/// One attempt of the side behind the hard NAT: it opens sockets towards the one port where the peer
/// is, so that there are many mappings of which the peer may find one.
struct OpeningAttempt {
    enum Phase: Equatable {
        /// STUN answers to fresh sockets tell how ports are chosen.
        case sampling
        /// The peer has been told `sent` times.
        case asking(sent: Int)
        case opening
    }

    struct Opened {
        let socket: LocalSocket
        let sentAt: MonotonicInstant
    }

    let peer: Int
    let id: UInt32
    var phase = Phase.sampling
    /// When the phase ends, or the next request is due.
    var deadline: MonotonicInstant
    var samples = PortSamples()
    var sampledAgainAt: MonotonicInstant?
    var estimate = PortEstimate(allocation: .unknown)
    /// A request of the peer, itself hard, that is answered when the sampling is done.
    var answering: HardNATMessage?

    var target: Endpoint?
    /// How many sockets this attempt may use.
    var limit = 0
    /// Opened to sample, and not yet used.
    var spare: [LocalSocket] = []
    var sockets: [LocalSocket] = []
    var pings: [PingID: Opened] = [:]
    var nextBatchAt = MonotonicInstant.never
    /// When what was sent is sent again, for attempts with few sockets.
    var againAt: MonotonicInstant?
    /// The peer has found a path: no more sockets.
    var isStopped = false
    /// The peer does not speak of hard NATs: the ports are offered in a CallMeMaybe.
    var offersPorts = false

    init(peer: Int, id: UInt32, at now: MonotonicInstant) {
        self.peer = peer
        self.id = id
        deadline = now + HardNATTiming.sampleTimeout
    }

    func owns(_ socket: LocalSocket) -> Bool { sockets.contains(socket) }
    var isFull: Bool { isStopped || sockets.count >= limit }

    mutating func open(towards target: Endpoint, limit: Int, at now: MonotonicInstant) {
        self.target = target
        self.limit = limit
        phase = .opening
        nextBatchAt = now
        deadline = now + HardNATTiming.openTimeout
    }

    /// With the sockets that are open it may still work.
    mutating func openNoMore() { limit = sockets.count }

    /// How many sockets suit the way ports are chosen.
    var suitableLimit: Int {
        switch estimate.allocation {
        case .sequential: HardNATTiming.sequenceSockets
        case .block: HardNATTiming.blockSockets
        case .unknown, .preserving, .random: HardNATTiming.randomSockets
        }
    }

    var nextDeadline: MonotonicInstant {
        switch phase {
        case .sampling: earliest(deadline, sampledAgainAt) ?? deadline
        case .asking: deadline
        case .opening: min(deadline, nextBatchAt)
        }
    }
}
