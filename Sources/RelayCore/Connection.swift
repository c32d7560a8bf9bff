public import NetTypes

/// What is at the other end of a connection.
public enum ConnectionRole: Hashable, Sendable {
    /// A node.
    case client
    /// Another relay of the region, which dialled us: it is told who is here and sends packets for
    /// those who are.
    case relay
    /// Another relay of the region, which we dialled: it tells who is there and takes packets for
    /// them.
    case link
}

/// A connection that has logged in.
@usableFromInline
struct Connection<Payload> {
    @usableFromInline let role: ConnectionRole
    @usableFromInline let id: ConnectionID
    @usableFromInline let key: NodeKey
    /// Where its key is in the client table; -1 for relays, which are nobody's destination.
    @usableFromInline let client: Int
    @usableFromInline let connectedAt: MonotonicInstant
    /// Keys whose coming or going a relay that watches has not been told yet, in order.
    @usableFromInline var news = Ring<NodeKey>()
    @usableFromInline var newsKeys: Set<NodeKey> = []
    @usableFromInline var watchesPresence = false
    /// Clients that are there, by the word of the relay at the other end of a link.
    @usableFromInline var present: Set<NodeKey> = []
    @usableFromInline var egress = Egress<Payload>()
    /// Is in the list of connections with something to write.
    @usableFromInline var isReady = false
    /// The relay is the client's home, it says.
    @usableFromInline var isPreferred = false
    /// Nil on a link: the side that was dialled keeps it alive.
    @usableFromInline var keepAliveAt: MonotonicInstant?
    /// When to find out whether it lives, because a newer one of its key has come.
    @usableFromInline var questionAt: MonotonicInstant?
    @usableFromInline var isQuestioned = false
    /// Set while the connection accepts no bytes.
    @usableFromInline var stallDeadline: MonotonicInstant?
    @usableFromInline var notHereAllowance: Int
    @usableFromInline var notHereRefilledAt: MonotonicInstant

    /// Whom the last packet went to, if to anybody, and who received it: most packets go where the one
    /// before went.
    @usableFromInline var lastClient = -1
    @usableFromInline var lastReceiver: ConnectionID?

    @usableFromInline init(
        id: ConnectionID, key: NodeKey, client: Int, role: ConnectionRole,
        keepAliveInterval: Nanoseconds, notHereBurst: Int, at now: MonotonicInstant
    ) {
        self.role = role
        connectedAt = now
        self.id = id
        self.key = key
        self.client = client
        keepAliveAt =
            role == .link ? nil : KeepAlive.next(for: key, after: now, period: keepAliveInterval)
        notHereAllowance = notHereBurst
        notHereRefilledAt = now
    }

    /// A place that is free.
    @usableFromInline init() {
        self.init(
            id: .none, key: .zero, client: -1, role: .link, keepAliveInterval: .zero,
            notHereBurst: 0, at: MonotonicInstant(nanoseconds: 0))
    }
}

/// A node key and all its connections to relays of the region.
@usableFromInline
struct Client {
    @usableFromInline let key: NodeKey
    /// Those to this relay, in the order they were made.
    @usableFromInline var connections: [ConnectionID]
    /// Links to the other relays that have it, in the order they said so. One of the two is not
    /// empty.
    @usableFromInline var links: [ConnectionID] = []
    /// Packets for the key go there: the connection that sent last, unless another relay has said
    /// since that the node connected to it.
    @usableFromInline var active: ConnectionID
    /// Its connections have been told that several of them are in use.
    @usableFromInline var isWarned = false
    /// Connections that received packets from this key, in order, and the same for look-up.
    @usableFromInline var watchers: [ConnectionID] = []
    @usableFromInline var watcherSet: Set<ConnectionID> = []

    @usableFromInline init(key: NodeKey, first: ConnectionID) {
        self.key = key
        connections = [first]
        active = first
    }

    /// A place that is free.
    init() {
        key = .zero
        connections = []
        active = .none
    }

    init(key: NodeKey, elsewhere link: ConnectionID) {
        self.key = key
        connections = []
        links = [link]
        active = link
    }
}
