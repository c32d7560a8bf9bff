internal import CryptoPrimitives
internal import NetTypes
internal import WireGuardMessages

/// All that is known about one peer.
struct Peer: ~Copyable {
    var remote: RemoteIdentity
    var presharedKey: SecretBytes?
    /// Sorted.
    var allowedIPs: [IPPrefix] = []
    var handshake = PeerHandshake()
    var keypairs = Keypairs()
    var timers = PeerTimers()
    var cookies = CookieJar()
    /// Plaintext waiting for a session.
    var staged = BoundedQueue<[UInt8]>(limit: WireGuardConstants.stagedPacketLimit)
    var traffic = PeerTraffic()

    /// Whether an empty packet is due when nothing else goes out.
    var owesKeepalive = false
    /// Whether the peer waits in the device's queue of initiations to make.
    var isInitiationQueued = false
    /// Whether the peer waits in the device's queue of peers with something to send.
    var isFlushQueued = false

    init(_ publicKey: NodeKey) { remote = RemoteIdentity(publicKey) }

    /// Thirty-two zero bytes when none is set.
    var effectivePresharedKey: SecretBytes { presharedKey ?? Self.noPresharedKey }
    private static let noPresharedKey = Bytes32().withBytes { SecretBytes(copying: $0) }
}

/// What outlives a handshake message.
struct PeerHandshake {
    /// Our last initiation, while it waits for its response.
    var outstanding: OutstandingInitiation?
    /// When a handshake message was last sent: initiations keep 5 seconds distance from it.
    var lastSentAt: MonotonicInstant?
    /// The stamp of our last initiation.
    var lastSentStamp: TAI64N?
    /// The greatest stamp the peer has sent. Anything not above it is a replay.
    var greatestStamp: TAI64N?
    /// When an initiation of the peer was last accepted.
    var lastAcceptedAt: MonotonicInstant?
}

struct PeerTraffic {
    /// Whole WireGuard messages, handshakes included.
    var receivedBytes: UInt64 = 0
    var sentBytes: UInt64 = 0
    var lastHandshake: Timestamp?
}
