public import NetTypes

/// A connection that has logged in.
@usableFromInline
struct Connection<Payload> {
    @usableFromInline let id: ConnectionID
    @usableFromInline let key: NodeKey
    /// Where its key is in the client table.
    @usableFromInline let client: Int
    @usableFromInline var egress = Egress<Payload>()
    /// Is in the list of connections with something to write.
    @usableFromInline var isReady = false
    /// The relay is the client's home, it says.
    @usableFromInline var isPreferred = false
    @usableFromInline var keepAliveAt: MonotonicInstant
    @usableFromInline let keepAliveInterval: Nanoseconds
    /// Set while the connection accepts no bytes.
    @usableFromInline var stallDeadline: MonotonicInstant?
    @usableFromInline var notHereAllowance: Int
    @usableFromInline var notHereRefilledAt: MonotonicInstant

    /// The last destination and who received there: most packets go where the one before went.
    @usableFromInline var lastDestination: NodeKey?
    @usableFromInline var lastClient = 0
    @usableFromInline var lastReceiver: ConnectionID?

    @usableFromInline init(
        id: ConnectionID, key: NodeKey, client: Int, keepAliveInterval: Nanoseconds,
        notHereBurst: Int, at now: MonotonicInstant
    ) {
        self.id = id
        self.key = key
        self.client = client
        self.keepAliveInterval = keepAliveInterval
        keepAliveAt = now + keepAliveInterval
        notHereAllowance = notHereBurst
        notHereRefilledAt = now
    }
}

/// A node key and all its connections.
@usableFromInline
struct Client {
    @usableFromInline let key: NodeKey
    /// In the order they were made.
    @usableFromInline var connections: [ConnectionID]
    /// The one that sent last: packets for the key go there.
    @usableFromInline var active: ConnectionID
    /// Connections that received packets from this key, in order, and the same for look-up.
    @usableFromInline var watchers: [ConnectionID] = []
    @usableFromInline var watcherSet: Set<ConnectionID> = []

    @usableFromInline init(key: NodeKey, first: ConnectionID) {
        self.key = key
        connections = [first]
        active = first
    }
}
