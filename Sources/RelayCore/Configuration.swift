public import NetTypes

/// Bounds and times of a relay.
public struct RelayConfiguration: Sendable {
    /// Packets waiting for one connection, in bytes with an allowance for each packet's keeping.
    /// Half a megabyte is 40 ms at 100 Mb/s: enough for the bursts of one TCP stream.
    public var dataQueueBytesMax = 512 << 10
    public var discoQueueBytesMax = 64 << 10
    /// Packets waiting for all connections together.
    public var totalQueueBytesMax = 64 << 20
    /// Packets that waited longer are dropped instead of sent: whoever sent them has given up.
    public var queueAgeMax = Nanoseconds.seconds(2)
    /// Messages of the relay itself waiting for one connection.
    public var messageQueueMax = 128

    /// Packets waiting for another relay of the region: those of all its clients share it.
    public var linkQueueBytesMax = 4 << 20
    /// How many clients a relay of the region may say it has.
    public var presenceMax = 100_000
    /// What a new link says within this time is how things were, not that somebody has just come.
    public var presenceSettling = Nanoseconds.seconds(2)

    public var connectionsMax = 20_000
    public var connectionsPerKeyMax = 8
    /// A connection of the same key as a newer one is asked after this time whether it lives: that of
    /// a node which moved to another network may take a while to end.
    public var duplicateGrace = Nanoseconds.seconds(5)
    /// How many receivers of its packets are told when a client leaves.
    public var watchersMax = 4_096

    /// When, is a matter of the other side's key.
    public var keepAliveInterval = KeepAlive.period
    /// A connection that accepts no byte for so long is closed. The official relay allows 2 s with
    /// a large kernel buffer in front; we keep that buffer small, so slow links need longer.
    public var writeStallMax = Nanoseconds.seconds(10)
    /// "Peer not here" answers for one connection: this many at once, then one each interval.
    public var notHereBurst = 3
    public var notHereInterval = Nanoseconds.seconds(1)

    public init() {}
}

/// One connection of a relay. Never reused: a later connection in the same place differs in
/// `generation`.
public struct ConnectionID: Hashable, Sendable {
    public let index: UInt32
    public let generation: UInt32

    @usableFromInline init(index: UInt32, generation: UInt32) {
        self.index = index
        self.generation = generation
    }

    /// That of no connection: generations begin with 1.
    @inlinable static var none: Self { Self(index: 0, generation: 0) }
    @inlinable var isNone: Bool { generation == 0 }
}

public enum DropReason: Int, CaseIterable, Sendable {
    /// The destination has no connection here.
    case unknownDestination
    /// The oldest of a full queue.
    case queueFull
    /// All queues together are full.
    case memory
    /// Waited too long.
    case stale
    /// Its receiver's connection ended while it waited.
    case receiverGone
    /// A message of the relay itself that found its queue full.
    case messageQueueFull
    /// Another relay sent it here, but its receiver is not here: a packet is forwarded once at most.
    case forwardedInVain
}

public struct RelayStatistics: Hashable, Sendable {
    public var packetsReceived: UInt64 = 0
    public var bytesReceived: UInt64 = 0
    public var packetsSent: UInt64 = 0
    public var bytesSent: UInt64 = 0
    /// Packets from and to other relays of the region; counted above as well.
    public var packetsForwardedIn: UInt64 = 0
    public var packetsForwardedOut: UInt64 = 0
    /// What relays of the region claimed beyond `presenceMax`.
    package var presencesIgnored: UInt64 = 0
    /// Logins that named a wrong mesh key.
    package internal(set) var relaysRefused: UInt64 = 0
    package var connectionsAccepted: UInt64 = 0
    package var connectionsRefused: UInt64 = 0
    package var slowConnectionsClosed: UInt64 = 0
    public var watchersForgotten: UInt64 = 0
    @usableFromInline var drops = [UInt64](repeating: 0, count: DropReason.allCases.count)

    package init() {}

    package subscript(_ reason: DropReason) -> UInt64 { drops[reason.rawValue] }
    public var packetsDropped: UInt64 { drops.reduce(0, +) }

    @usableFromInline mutating func count(_ reason: DropReason, _ amount: Int = 1) {
        drops[reason.rawValue] += UInt64(amount)
    }
}
