internal import CryptoPrimitives
internal import Disco
internal import FairQueue
internal import IPPacket
internal import LinuxIO
internal import Logging
internal import NetReport
internal import NetTypes
internal import NodeCore
internal import PacketFilter
internal import PathEngine
internal import TunDevice
internal import UDPSocket
internal import WireGuard

/// The packet thread's engines and sockets, and the order in which they are served.
///
/// One clock reading and a limited number of bytes of each source for each wake-up: a flood from one
/// side delays the other, the timers and the mailbox by no more than a millisecond.
struct PacketLoop: ~Copyable {
    enum Token {
        static var mailbox: UInt64 { 0 }
        static var tun: UInt64 { 1 }
        static var ipv4: UInt64 { 2 }
        static var ipv6: UInt64 { 3 }
        static var peerRelay4: UInt64 { 4 }
        static var peerRelay6: UInt64 { 5 }
        static var firstSide: UInt64 { 16 }
        static func side(_ socket: LocalSocket) -> UInt64 { firstSide + UInt64(socket.number) }
        /// The first of the probe sockets.
        static var probes: UInt64 { 1 << 32 }
    }
    /// Bytes taken from one descriptor in one wake-up; a packet counts for at least `packetCost`, for small
    /// ones take as long as others.
    static var byteBudget: Int { 1 << 18 }
    static var packetCost: Int { 1 << 10 }
    /// Packets of the host read at once.
    static var intakeMax: Int { 512 }
    /// What is written to the network at once.
    static var flushByteCount: Int { 1 << 16 }
    /// Pings for people that may be under way.
    static var pingsMax: Int { 64 }

    let mailbox: Mailbox
    let relay: RelayOutlet
    let logger: Logger
    let onEvent: @Sendable (DataPlaneEvent) -> Void

    var poller: Poller
    let tun: TunDevice?
    let ipv4: UDPSocket?
    let ipv6: UDPSocket?
    let tunOffloads: TunOffloads?
    var ipv4Offloads: UDPOffloads
    var ipv6Offloads: UDPOffloads
    /// The ports the sockets are bound to.
    let ipv4Port: UInt16?
    let ipv6Port: UInt16?
    let hasTun: Bool
    let acceptsLoopback: Bool
    /// For paths through hard NATs; none on most nodes.
    var sideSockets = SideSockets()
    /// Set while this node relays for others.
    var peerRelay: PeerRelayRole?
    let peerRelayOutbox = PeerRelayOutbox()
    let socketMark: UInt32
    var searchesHardNAT = true
    var hardNATPeers: Set<NodeKey>

    let discoKey: PrivateKey<DiscoKind>
    var wireGuard: WireGuardDevice
    var paths: PathEngine<SecureRandom>
    var netReport: NetReportEngine<SecureRandom>
    var filter: PacketFilter
    var peers = PeerTable()
    var burst = Burst()

    /// Messages the engines send of themselves.
    var scratch = PacketBatch()
    var relaySender: DataPlane.RelaySender?
    var now: MonotonicInstant
    var counters = LoopCounters()

    var serverClock = ServerClock()
    var links = LinkSummary(addresses: [], families: [])
    var portMappedEndpoints: [Endpoint] = []
    var ownAddresses: [IPPrefix] = []
    /// Set by hand through `wg`, beside the peers of the configuration.
    var plainPeers: [NodeKey: PlainPeer] = [:]
    var configured: [DesiredPeer] = []
    var relayRegions: [RelayRegion] = []
    /// Strangers must not make us look through all peers for each of their packets.
    var nextUnknownSessionAt = MonotonicInstant(nanoseconds: 0)
    /// Bounds the answers to packets that are too large.
    var nextTooBigAt = MonotonicInstant(nanoseconds: 0)
    var pings: [UInt64: @Sendable (PingOutcome) -> Void] = [:]
    var tunnelPings: [TunnelPing] = []
    var nextPingID: UInt64 = 1
    var netchecks: [@Sendable (NetReport?) -> Void] = []
    var isStopping = false
    var probes: [ProbeSocket] = []

    init(
        _ setup: consuming DataPlane.Setup, mailbox: Mailbox, relay: RelayOutlet, logger: Logger,
        onEvent: @escaping @Sendable (DataPlaneEvent) -> Void
    ) throws(SystemError) {
        let poller = try Poller()
        try poller.add(mailbox.wakeup.descriptor, token: Token.mailbox)
        if let descriptor = setup.tun?.descriptor { try poller.add(descriptor, token: Token.tun) }
        if let descriptor = setup.ipv4?.descriptor { try poller.add(descriptor, token: Token.ipv4) }
        if let descriptor = setup.ipv6?.descriptor { try poller.add(descriptor, token: Token.ipv6) }
        let ipv4Offloads = try setup.ipv4?.wantTrains() ?? UDPOffloads()
        let ipv6Offloads = try setup.ipv6?.wantTrains() ?? UDPOffloads()
        tunOffloads = setup.tun?.offloads
        self.ipv4Offloads = ipv4Offloads
        self.ipv6Offloads = ipv6Offloads
        self.poller = poller
        self.mailbox = mailbox
        self.relay = relay
        self.logger = logger
        self.onEvent = onEvent
        discoKey = setup.discoKey
        ipv4Port = setup.ipv4?.port
        ipv6Port = setup.ipv6?.port
        hasTun = setup.tun != nil
        acceptsLoopback = setup.acceptsLoopback
        socketMark = setup.socketMark
        hardNATPeers = Set(setup.hardNATPeers)
        tun = setup.tun.take()
        ipv4 = setup.ipv4.take()
        ipv6 = setup.ipv6.take()
        var random = SecureRandom()
        wireGuard = WireGuardDevice(
            privateKey: nil, configuration: .init(mtu: tunnelMTU), random: SecureRandom())
        paths = PathEngine(nodeKey: .zero, discoKey: setup.discoKey, random: SecureRandom())
        netReport = NetReportEngine(random: SecureRandom())
        netReport.setLearnedLifetimes(setup.lifetimes)
        filter = PacketFilter(flowSecret: random.next())
        now = BootClock.now()
    }

    /// Runs until told to stop.
    mutating func run() throws(SystemError) {
        var pools = PacketPools(kinds: tunOffloads?.sends ?? [])
        let offloads = offloadList().map { "\($0.name): \($0.value)" }.joined(separator: ", ")
        logger.info("offloads", metadata: ["kernel": "\(offloads)"])
        while !isStopping {
            let isBehind = !pools.waiting.isEmpty
            let count = try poller.wait(timeout: isBehind ? .zero : timeout(pools.nextDeadline))
            now = BootClock.now()
            relaySender = relay.current
            for index in 0..<count {
                switch poller[index].token {
                case Token.mailbox: takeMail(&pools)
                // Below, if it was behind.
                case Token.tun where isBehind: break
                case Token.tun: try readTun(&pools)
                case Token.ipv4: try readIPv4(&pools)
                case Token.probes...:
                    try readProbe(Int(poller[index].token - Token.probes), &pools.batch)
                case Token.ipv6: try readIPv6(&pools)
                case Token.peerRelay4: try readPeerRelay(.v4)
                case Token.peerRelay6: try readPeerRelay(.v6)
                case let token: try readAside(token, &pools)
                }
            }
            if isBehind { try readTun(&pools) }
            serveEngines()
            pools.releaseIfIdle(at: now)
        }
        answerEverything()
    }

    private func timeout(_ other: MonotonicInstant?) -> Nanoseconds? {
        var deadline = earliest(wireGuard.nextDeadline, paths.nextDeadline)
        deadline = earliest(deadline, other)
        deadline = earliest(deadline, netReport.nextDeadline)
        deadline = earliest(deadline, tunnelPings.first?.deadline)
        deadline = earliest(deadline, peerRelay?.nextDeadline)
        return deadline.map { $0 - now }
    }

    /// Timers, then whatever the engines have to say. What one says may give another work, but no
    /// more than once around: none of them answers what it is told at once and for ever.
    private mutating func serveEngines() {
        let civil = serverClock.now(localTime: CivilTime.now(), at: now)
        wireGuard.handleTimeout(at: now, civil: civil)
        paths.handleTimeout(at: now)
        netReport.setInUse(paths.nextDeadline != nil, at: now)
        netReport.handleTimeout(at: now)
        expireTunnelPings()
        peerRelay?.handleTimeout(at: now)
        sendWireGuard()
        drainWireGuardEvents()
        drainNetReport()
        drainPaths()
        flushPeerRelayOutbox()
    }
}

/// What was found out about the last packet and need not be found out again for those that come with it.
struct Burst {
    /// The peer whose packet proved the path they come by.
    var provenPeer: Int?
    /// A flow whose packets the filter lets in.
    var accepted: FlowFingerprint?
}

struct LoopCounters {
    var tunPackets: Int64 = 0
    var udpDatagrams: Int64 = 0
    var relayedPackets: Int64 = 0
    /// Packets of the host for which there was no room, or which made room for others.
    var queueFull: Int64 = 0
    /// Packets of the host for an address that no peer has.
    var noPeer: Int64 = 0
    /// Messages for a peer to which no path leads now.
    var noPath: Int64 = 0
    /// Packets of the host whose offload header contradicts them.
    var badOffload: Int64 = 0
    /// Packets that a router marked although their sender does not understand marks.
    var badMark: Int64 = 0
    var notSent: Int64 = 0
    var notDelivered: Int64 = 0
    /// Answers to packets that do not pass the path to their peer.
    var tooBig: Int64 = 0
    /// Datagrams of no protocol of ours.
    var unknownDatagrams: Int64 = 0
    var truncatedDatagrams: Int64 = 0
    var droppedByMailbox: Int64 = 0
}
