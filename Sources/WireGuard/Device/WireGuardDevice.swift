package import CryptoPrimitives
package import NetTypes
internal import WireGuardMessages

/// A WireGuard interface without IO: peers, handshakes, sessions, timers and crypto-routing of one
/// private key.
///
/// At each wake-up the owner
///
/// 1. gives in what arrived: `receive` for datagrams, `seal` for packets (found by `peer(for:)`);
/// 2. calls `handleTimeout` once, which also does the public-key work that (1) has put aside, up to
///    a budget;
/// 3. drains `pollTransmit`, then `pollEvent`;
/// 4. sleeps until `nextDeadline`.
///
/// Packets of an established session are sealed and opened in the caller's memory, without
/// allocating. Endpoints and roaming are the caller's business: whatever is received carries the
/// peer it is from, and whatever is sent names the peer it is for.
package struct WireGuardDevice: ~Copyable {
    package struct Configuration: Sendable {
        /// Of the tunnel interface. Padding ends there.
        package var mtu: Int
        /// Handshake messages consumed and initiations made in one `handleTimeout`, each of which
        /// costs a few X25519 multiplications.
        package var handshakesPerWakeUp: Int
        /// Who seals and opens the packets of sessions.
        package var cipher: CipherBackend

        package init(
            mtu: Int = 1280, handshakesPerWakeUp: Int = 16, cipher: CipherBackend = .fastest
        ) {
            precondition(mtu > 0 && handshakesPerWakeUp > 0, "the budget and MTU are positive")
            self.mtu = mtu
            self.handshakesPerWakeUp = handshakesPerWakeUp
            self.cipher = cipher
        }
    }

    package var configuration: Configuration
    var random: any RandomNumberGenerator
    var identity: LocalIdentity?
    var clock = CivilClock()

    var peers = Slab<Peer>()
    /// For handshakes and configuration only; packets find their peer by index and address.
    var peerNumbers: [NodeKey: Int] = [:]
    var sessions = Slab<Session>()
    var indices = IndexTable()
    var allowedIPs = AllowedIPs() {
        didSet { lastSource = nil }
    }
    /// The inner source looked up last, and whose it is: packets come in bursts.
    var lastSource: (address: IPAddress, peer: Int)?
    var deadlines = DeadlineQueue()

    var handshakes = HandshakeWork()
    var output: OutputQueues
    var dropCounts = [UInt64](repeating: 0, count: DropReason.allCases.count)

    package init(
        privateKey: PrivateKey<NodeKind>?, configuration: Configuration = Configuration(),
        random: any RandomNumberGenerator
    ) {
        self.configuration = configuration
        self.random = random
        output = OutputQueues(jitter: Jitter(seed: self.random.next()))
        identity = privateKey.map { LocalIdentity($0) }
    }

    /// Nil while no key is set.
    package var publicKey: NodeKey? { identity?.publicKey }

    /// How often packets were dropped for `reason`.
    package func dropCount(_ reason: DropReason) -> UInt64 { dropCounts[reason.rawValue] }

    mutating func count(_ reason: DropReason, _ times: Int = 1) {
        dropCounts[reason.rawValue] += UInt64(times)
    }

    /// When to call `handleTimeout` at the latest: at once (an instant that has passed) when work
    /// was put aside.
    package var nextDeadline: MonotonicInstant? {
        handshakes.isIdle ? deadlines.earliest : MonotonicInstant(nanoseconds: 0)
    }

    /// Call when the queue of transmits is drained. Nil when there is no more.
    package mutating func pollEvent() -> WireGuardEvent? { output.events.popFirst() }

    /// Takes over what the timers of a peer have become. Deadlines that moved back or vanished are
    /// left alone: waking for nothing is cheaper than moving them at every packet.
    mutating func timersChanged(_ peer: Int) {
        guard let deadline = peers[peer].timers.nextDeadline else { return }
        if let scheduled = deadlines.deadline(of: peer), scheduled <= deadline { return }
        deadlines.set(deadline, for: peer)
    }
}

/// Public-key work that waits for its budget.
struct HandshakeWork {
    /// Messages received.
    var received = HandshakeQueue()
    /// Numbers of peers to send an initiation to.
    var initiations = BoundedQueue<Int>(limit: 2 * WireGuardConstants.maxPeers)
    var rateLimiter = SourceRateLimiter()
    var parked = ParkedInitiations()

    var isIdle: Bool { received.isEmpty && initiations.isEmpty }
}

/// What waits to be polled.
struct OutputQueues {
    /// Handshake messages and cookie replies.
    var messages = BoundedQueue<OutgoingMessage>(limit: 4096)
    /// Numbers of peers with packets to seal or a keepalive to send.
    var flushes = BoundedQueue<Int>(limit: 2 * WireGuardConstants.maxPeers)
    var events = BoundedQueue<WireGuardEvent>(limit: 4096)
    var jitter: Jitter
}

struct OutgoingMessage {
    var bytes: [UInt8]
    var destination: Transmit.Destination
}
