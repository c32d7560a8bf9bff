package import NetTypes

/// Bounds and times of a relay.
@usableFromInline
package struct RelayConfiguration: Sendable {
    /// Packets waiting for one connection, in bytes with an allowance for each packet's keeping.
    /// Half a megabyte is 40 ms at 100 Mb/s: enough for the bursts of one TCP stream.
    package var dataQueueBytesMax = 512 << 10
    package var discoQueueBytesMax = 64 << 10
    /// Packets waiting for all connections together.
    package var totalQueueBytesMax = 64 << 20
    /// Packets that waited longer are dropped instead of sent: whoever sent them has given up.
    package var queueAgeMax = Nanoseconds.seconds(2)
    /// Messages of the relay itself waiting for one connection.
    package var messageQueueMax = 128

    package var connectionsMax = 20_000
    package var connectionsPerKeyMax = 8
    /// How many receivers of its packets are told when a client leaves.
    package var watchersMax = 4_096

    package var keepAliveInterval = Nanoseconds.seconds(60)
    package var keepAliveJitter = Nanoseconds.seconds(5)
    /// A connection that accepts no byte for so long is closed. The official relay allows 2 s with
    /// a large kernel buffer in front; we keep that buffer small, so slow links need longer.
    package var writeStallMax = Nanoseconds.seconds(10)
    /// "Peer not here" answers for one connection: this many at once, then one each interval.
    package var notHereBurst = 3
    package var notHereInterval = Nanoseconds.seconds(1)

    package init() {}
}

/// One connection of a relay. Never reused: a later connection in the same place differs in
/// `generation`.
@usableFromInline
package struct ConnectionID: Hashable, Sendable {
    package let index: UInt32
    package let generation: UInt32

    @usableFromInline init(index: UInt32, generation: UInt32) {
        self.index = index
        self.generation = generation
    }
}

@usableFromInline
package enum DropReason: Int, CaseIterable, Sendable {
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
}

@usableFromInline
package struct RelayStatistics: Hashable, Sendable {
    package var packetsReceived: UInt64 = 0
    package var bytesReceived: UInt64 = 0
    package var packetsSent: UInt64 = 0
    package var bytesSent: UInt64 = 0
    package var connectionsAccepted: UInt64 = 0
    package var connectionsRefused: UInt64 = 0
    package var slowConnectionsClosed: UInt64 = 0
    package var watchersForgotten: UInt64 = 0
    @usableFromInline var drops = [UInt64](repeating: 0, count: DropReason.allCases.count)

    package init() {}

    package subscript(_ reason: DropReason) -> UInt64 { drops[reason.rawValue] }
    package var packetsDropped: UInt64 { drops.reduce(0, +) }

    @usableFromInline mutating func count(_ reason: DropReason, _ amount: Int = 1) {
        drops[reason.rawValue] += UInt64(amount)
    }
}
