public import NetTypes

/// Every number of the protocol, under the names of the WireGuard paper (§6) where it names them.
public enum WireGuardConstants {
    /// A session older than this is renewed by the side that started it.
    public static let rekeyAfterTime = Nanoseconds.seconds(120)
    /// A session older than this neither sends nor receives.
    public static let rejectAfterTime = Nanoseconds.seconds(180)
    /// An initiation without an answer is repeated after this (and some jitter).
    public static let rekeyTimeout = Nanoseconds.seconds(5)
    /// For so long initiations are repeated.
    public static let rekeyAttemptTime = Nanoseconds.seconds(90)
    /// Data received and not answered for this long is answered by an empty packet.
    public static let keepaliveTimeout = Nanoseconds.seconds(10)
    /// A session that has sent more messages is renewed.
    public static let rekeyAfterMessages: UInt64 = 1 << 60
    /// From this counter on a session neither sends nor receives.
    public static let rejectAfterMessages: UInt64 = .max - (1 << 13)
    /// Age at which a cookie is not used any more, and a server's cookie secret is replaced.
    public static let cookieRefreshTime = Nanoseconds.seconds(120)

    /// Jitter added to `rekeyTimeout`: zero up to this.
    public static let rekeyTimeoutJitterMax = Nanoseconds.milliseconds(333)
    /// Initiations sent by the retransmission timer before it gives up.
    public static let maxTimerHandshakes = rekeyAttemptTime.count / rekeyTimeout.count
    /// A session without traffic is wiped this long after it was derived.
    public static let zeroKeyTime = rejectAfterTime * 3
    /// The initiator renews a session of this age when it receives, once, so that it does not die
    /// between two packets of a peer that only ever answers.
    public static let rekeyOnReceiveAge = rejectAfterTime - keepaliveTimeout - rekeyTimeout
    /// Initiations of one peer closer together than this are dropped.
    public static let initiationFloodInterval = Nanoseconds.milliseconds(20)

    /// Counters below the highest received that are still accepted once each.
    public static let replayWindow: UInt64 = 8128
    /// Packets kept for a peer without a session; the oldest makes room for a new one.
    public static let stagedPacketLimit = 128
    /// Handshake messages waiting to be worked on.
    public static let handshakeQueueLimit = 1024
    /// From this many waiting messages on, senders must prove their address with a cookie.
    public static let underLoadQueueLength = handshakeQueueLimit / 8
    /// For so long the device counts as under load after the queue was last this long.
    public static let underLoadHold = Nanoseconds.seconds(1)
    /// Handshake messages a second from one source while under load, and how many at once.
    public static let initiationsPerSecond: Int64 = 20
    public static let initiationBurst: Int64 = 5
    public static let maxPeers = 1 << 16

    /// Inner packets are padded to a multiple of this.
    public static let paddingMultiple = 16

    public static let construction = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"
    public static let identifier = "WireGuard v1 zx2c4 Jason@zx2c4.com"
    public static let labelMAC1 = "mac1----"
    public static let labelCookie = "cookie--"
}
