package import CryptoPrimitives
import Disco
package import NetReport
package import NetTypes
package import PathEngine
import PeerRelay
package import PortMapping
import PortMappingMessages
package import SimulatedNetwork

/// Keys from a seed: X25519 takes any bytes.
package func privateKey<Kind: KeyKind>(
    _ seed: UInt64, _: Kind.Type = Kind.self
) -> PrivateKey<Kind> {
    var random = SeededRandom(seed: seed)
    return unsafe PrivateKey(SecretBytes(copying: random.bytes(count: 32).span.bytes))
}

/// A node of a `Mesh`: the engines, and a stand-in for WireGuard (`Session`).
package final class SimulatedNode {
    package static let port: UInt16 = 41_641
    /// Where it hears gateways.
    static let mappingPort: UInt16 = 5_350

    package let name: String
    package let host: SimulatedNetwork.HostID
    package let nodeKey: NodeKey
    package private(set) var discoKey: PrivateKey<DiscoKind>
    package var paths: PathEngine<SeededRandom>
    package var report: NetReportEngine<SeededRandom>
    /// As it would be stored.
    package internal(set) var learnedLifetimes: [LearnedLifetime] = []
    /// The router that maps ports.
    var gateway: IPAddress?
    /// Idle unless there is one.
    package var portMapping: PortMappingEngine<SeededRandom>
    /// As the control server knows them.
    package var announced: [Endpoint] = []
    package var homeRelay: Int?
    package var events: [PathEvent] = []
    /// An IPv6-only host whose network translates (RFC 6146) reaches IPv4 by this prefix.
    package var nat64Prefix: IPv6Address?
    var random: SeededRandom
    /// Set on nodes that relay UDP for others.
    var peerRelay: PeerRelaying?

    // By peer index.
    var sessions: [Int: Session] = [:]
    /// The next number to send, and what has arrived.
    package var sent: [Int: UInt32] = [:]
    package var received: [Int: Set<UInt32>] = [:]
    package var firstArrival: [Int: MonotonicInstant] = [:]
    package var lastArrival: [Int: MonotonicInstant] = [:]
    package var longestSilence: [Int: Nanoseconds] = [:]
    package var directArrivals: [Int: Int] = [:]
    package var relayedArrivals: [Int: Int] = [:]
    /// When traffic to the peer first left by the direct path alone.
    package var directSince: [Int: MonotonicInstant] = [:]
    /// Sockets beside the main one, by port.
    package private(set) var openSockets: [UInt16: LocalSocket] = [:]
    package private(set) var openSocketsMost = 0
    /// What the process may open.
    package var socketsMax = 1_000
    /// Of the sockets that look into the NAT.
    private(set) var probePorts: [UInt16] = []
    private var lastProbePort: UInt16 = 45_000
    /// Handshakes to be sent again.
    var retries: [Int: MonotonicInstant] = [:]

    /// Disco datagrams sent over UDP, by second.
    package var discoSent: [UInt64: Int] = [:]
    package var discoSentTotal = 0
    package var relayedDiscoSentTotal = 0
    package var stunSentTotal = 0
    /// Times that a timer or a packet woke the node.
    package var wakeUpCount = 0
    /// The timer that is set.
    var timerAt: MonotonicInstant?

    init(name: String, host: SimulatedNetwork.HostID, seed: UInt64) {
        self.name = name
        self.host = host
        nodeKey = privateKey(seed, NodeKind.self).publicKey
        discoKey = privateKey(seed ^ 0xD15C0, DiscoKind.self)
        paths = PathEngine(
            nodeKey: nodeKey, discoKey: discoKey, random: SeededRandom(seed: seed ^ 1))
        report = NetReportEngine(random: SeededRandom(seed: seed ^ 2))
        random = SeededRandom(seed: seed ^ 3)
        var mappingRandom = SeededRandom(seed: seed ^ 4)
        portMapping = PortMappingEngine(
            memory: PortMappingMemory(
                externalPort: 0, nonce: PCPNonce(using: &mappingRandom)), random: mappingRandom)
    }

    // MARK: Sockets

    /// The port of a socket, which is opened if it is not.
    func port(of socket: LocalSocket) -> UInt16 {
        if socket.isMain { return Self.port }
        if let port = openSockets.first(where: { $0.value == socket })?.key { return port }
        guard openSockets.count < socketsMax else {
            paths.noteSocketFailed(socket)
            return 0
        }
        let port = 32_768 + UInt16(socket.number % 8_192)
        openSockets[port] = socket
        openSocketsMost = max(openSocketsMost, openSockets.count)
        paths.noteSocketOpened(socket, port: port)
        return port
    }

    func close(_ socket: LocalSocket) {
        openSockets = openSockets.filter { $0.value != socket }
    }

    func socket(at port: UInt16) -> LocalSocket? {
        port == Self.port ? .main : openSockets[port]
    }

    /// Opens sockets on ports that no earlier one had.
    func openProbes(_ count: Int) -> [UInt16] {
        probePorts = (1...UInt16(count)).map { lastProbePort &+ $0 }
        lastProbePort = lastProbePort > 60_000 ? 45_000 : lastProbePort + UInt16(count)
        return probePorts
    }

    func closeProbes() { probePorts = [] }

    /// Some are open.
    package var holdsProbes: Bool { !probePorts.isEmpty }

    /// A new process: everything in memory is gone, the disco key is new.
    package func restart(seed: UInt64) {
        discoKey = privateKey(seed, DiscoKind.self)
        paths = PathEngine(
            nodeKey: nodeKey, discoKey: discoKey, random: SeededRandom(seed: seed ^ 1))
        report = NetReportEngine(random: SeededRandom(seed: seed ^ 2))
        announced = []
        openSockets = [:]
        sessions = [:]
        retries = [:]
    }

    package var nextDeadline: MonotonicInstant? {
        var next = earliest(paths.nextDeadline, report.nextDeadline)
        next = earliest(next, portMapping.nextDeadline)
        next = earliest(next, peerRelay?.server.nextDeadline)
        for retry in retries.values { next = earliest(next, retry) }
        return next
    }

    /// Packets of path finding: disco by UDP and relay, and STUN.
    package var overheadSent: Int { discoSentTotal + relayedDiscoSentTotal + stunSentTotal }
}
