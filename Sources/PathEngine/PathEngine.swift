package import CryptoPrimitives
import Disco
package import NetTypes

/// Finds and keeps the best path to each peer of a node (Tailscale's disco protocol).
///
/// **The relay is always there, a direct path is won.** Traffic to a peer starts by the relay at
/// once. At the same moment a *discovery round* begins: every *candidate* (endpoints from the
/// netmap, from the peer's CallMeMaybe, sources of its valid packets) is pinged at 0, 50, 150, 350
/// and 750 ms, and a CallMeMaybe by relay asks the peer to do the same, with the endpoints that are
/// known now. If those may have lost their NAT mapping, fresh ones are asked for and a second
/// CallMeMaybe follows when they differ. Two packets that cross in this way open both NATs. Rounds
/// go on, ever more slowly, while traffic flows without a direct path.
///
/// **Triggered checks.** A valid ping from a candidate that has not proven itself is answered and
/// pinged back at once, so that both sides learn of a path in the same round trip. A CallMeMaybe is
/// answered by pings and, unless the peer has just been told, by our own.
///
/// **Proof.** Only a pong (a round trip of ours) selects a path. A selected path is *trusted* and
/// carries traffic alone for 6.5 s after a pong or after data that came on it; heartbeats renew
/// this every 3 s while the session is active, that is, until 45 s after the last packet we sent. An
/// idle peer gets nothing.
///
/// **Choice.** Of the paths that answer, the one of least cost (`PathScore`: smoothed round trip,
/// weighed by kind of address) is selected; another takes over only when it is better by a margin, and
/// a few times at most in a few minutes.
/// The second best is pinged every 12 s, or as seldom as its NAT mapping needs it to live.
///
/// **Doubt.** A trusted path is *verified*, that is, pinged and pinged again, when a packet sent on it
/// is not followed by anything that comes on it within the usual round trip (100 ms at least), when a
/// heartbeat is not answered, or when the peer starts to speak from elsewhere. A flow that is never
/// answered costs a ping about every 250 ms instead. Without an answer the path *fails* 260 ms after
/// the first packet in question, or as soon as two answers could have come: the relay carries a copy
/// of everything and a discovery round with CallMeMaybe begins. While data still comes in on it, three
/// lost pings are needed. A peer that begins to send by relay, or asks for a path by CallMeMaybe,
/// doubts the path for reasons we may not see: our packets go both ways at once, until a pong. A pong
/// ends the doubt; after five seconds without one the path is given up.
///
/// **Peer relays.** Where no direct path is found, a node that may relay for us can carry the packets
/// (`PathEngine+PeerRelay`). Such a path is treated as a direct one, but any direct one is better and
/// is searched for all the while.
///
/// **Sizes.** Padded pings find the largest datagram that passes a path (`PathMTU`) and watch that it
/// still does while large ones are sent; what does not pass, or is not yet known to, goes by relay.
///
/// **What is believed.** Disco messages are opened only from disco keys of peers. A relayed one must
/// come from the node that owns the key; a ping that names a node must name that one; a pong must
/// answer a ping of ours; CallMeMaybe is taken by relay only. Every table, queue and rate is bounded
/// (`PathTiming`).
///
/// **Driving it.** One owner. After each call drain `pollTransmit` and `pollEvent`, then sleep until
/// `nextDeadline` and call `handleTimeout`. `route` and `noteReceived` are for every packet:
/// constant time, no allocation. Peers are named by small integers that the caller chooses.
package struct PathEngine<Random: RandomNumberGenerator>: ~Copyable {
    let nodeKey: NodeKey
    let discoKey: PrivateKey<DiscoKind>
    let settings: PathSettings
    var random: Random

    /// By the caller's index.
    var peers: [Peer?] = []
    /// Those with a deadline, without order.
    var scheduled: [Int] = []
    /// No later than the earliest deadline of a peer.
    var deadline: MonotonicInstant?
    /// Several nodes of one machine may share a disco key.
    var indicesByDiscoKey: [DiscoKey: [Int]] = [:]
    var indicesByNodeKey: [NodeKey: Int] = [:]

    var ownEndpoints = OwnEndpoints()
    /// How the NAT in our own way treats IPv4; empty until it has been found out.
    package internal(set) var natBehavior = NATBehavior()
    /// How often second-best paths are pinged.
    var standbyInterval = PathTiming.standbyInterval(lifetime: nil)
    var endpointsRequestedAt = MonotonicInstant.never
    var hardNAT = HardNAT()
    var relays = PeerRelays()
    var pingBudget = TokenBucket(burst: 1_000, interval: .milliseconds(2))
    var transmits = BoundedQueue<PathTransmit>(capacity: PathTiming.transmitQueueMax)
    var events = BoundedQueue<PathEvent>(capacity: PathTiming.eventQueueMax)
    var actions: [PeerAction] = []
    var countersStorage = PathCounters()

    /// `random` makes transaction IDs and nonces: outside of tests it must be `SecureRandom`.
    package init(
        nodeKey: NodeKey, discoKey: PrivateKey<DiscoKind>, settings: PathSettings = PathSettings(),
        random: Random
    ) {
        self.nodeKey = nodeKey
        self.discoKey = discoKey
        self.settings = settings
        self.random = random
    }

    /// The next disco message to send; call until nil.
    package mutating func pollTransmit() -> PathTransmit? { transmits.popFirst() }

    /// The next thing to tell somebody; call until nil.
    package mutating func pollEvent() -> PathEvent? { events.popFirst() }

    /// When `handleTimeout` is due.
    package var nextDeadline: MonotonicInstant? {
        earliest(earliest(deadline, hardNAT.nextDeadline), relays.nextDeadline)
    }

    package var counters: PathCounters {
        var counters = countersStorage
        counters.transmitsDropped += transmits.dropped
        counters.eventsDropped = events.dropped
        return counters
    }

    /// Does what is due. Being called ten seconds late means that the machine slept, and counts as a
    /// change of the network.
    package mutating func handleTimeout(at now: MonotonicInstant) {
        serviceHardNAT(at: now)
        sweepRelayedPaths(at: now)
        servicePeers(at: now)
        // Last, because a peer may just have come to want one.
        serviceRelays(at: now)
    }

    private mutating func servicePeers(at now: MonotonicInstant) {
        guard let due = deadline, due <= now else { return }
        if now - due >= PathTiming.suspendLateness { forgetProofs(at: now) }
        var next: MonotonicInstant?
        var kept = 0
        for position in scheduled.indices {
            let index = scheduled[position]
            guard let peerDeadline = peers[index]?.deadline else {
                peers[index]?.isScheduled = false
                continue
            }
            if peerDeadline <= now {
                peers[index]?.service(at: now, into: &actions)
                perform(for: index, at: now)
                let renewed = peers[index]?.nextDeadline(after: now)
                peers[index]?.deadline = renewed
            }
            guard let renewed = peers[index]?.deadline else {
                peers[index]?.isScheduled = false
                continue
            }
            next = earliest(next, renewed)
            scheduled[kept] = index
            kept += 1
        }
        scheduled.removeLast(scheduled.count - kept)
        deadline = next
    }

    /// Computes the peer's deadline anew after something happened to it.
    mutating func reschedule(_ index: Int, at now: MonotonicInstant) {
        let next = peers[index]?.nextDeadline(after: now)
        peers[index]?.deadline = next
        if let next { schedule(index, by: next) }
    }

    /// Lets `handleTimeout` look at the peer at `instant` or before.
    @inline(__always)
    mutating func schedule(_ index: Int, by instant: MonotonicInstant) {
        if peers[index]?.isScheduled == false {
            peers[index]?.isScheduled = true
            scheduled.append(index)
        }
        deadline = earliest(deadline, instant)
    }
}

/// What may differ between nodes.
package struct PathSettings: Equatable, Sendable {
    /// Loopback addresses are taken as candidates: for tests on one machine.
    package var acceptsLoopback: Bool
    /// Addresses inside the tunnel, which can never be a path to anyone.
    package var tunnelPrefixes: [IPPrefix]

    /// The largest WireGuard message that will be sent, in bytes of UDP payload: that much is
    /// searched for on each path.
    package var datagramByteCountMax: Int

    package init(
        acceptsLoopback: Bool = false, tunnelPrefixes: [IPPrefix] = [],
        datagramByteCountMax: Int = 1_312
    ) {
        self.acceptsLoopback = acceptsLoopback
        self.tunnelPrefixes = tunnelPrefixes
        self.datagramByteCountMax = datagramByteCountMax
    }
}

/// First in, first out; what does not fit is dropped and counted.
struct BoundedQueue<Element> {
    private var elements: [Element] = []
    private var head = 0
    private let capacity: Int
    private(set) var dropped = 0

    init(capacity: Int) { self.capacity = capacity }

    mutating func append(_ element: Element) {
        guard elements.count - head < capacity else {
            dropped += 1
            return
        }
        elements.append(element)
    }

    mutating func popFirst() -> Element? {
        guard head < elements.count else {
            if head > 0 {
                elements.removeAll(keepingCapacity: elements.capacity <= 64)
                head = 0
            }
            return nil
        }
        defer { head += 1 }
        return elements[head]
    }
}
