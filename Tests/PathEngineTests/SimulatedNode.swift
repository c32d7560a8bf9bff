import CryptoPrimitives
import Disco
import NetReport
import NetTypes
import PathEngine
import STUN
import SimulatedNetwork

/// Keys from a seed: X25519 takes any bytes.
func privateKey<Kind: KeyKind>(
    _ seed: UInt64, _: Kind.Type = Kind.self
) -> PrivateKey<Kind> {
    var random = SeededRandom(seed: seed)
    return PrivateKey(SecretBytes(copying: random.bytes(count: 32).span.bytes))
}

/// A node of a `Mesh`: both engines, and a stand-in for WireGuard that numbers its packets.
final class SimulatedNode {
    static let port: UInt16 = 41_641

    let name: String
    let host: SimulatedNetwork.HostID
    let nodeKey: NodeKey
    private(set) var discoKey: PrivateKey<DiscoKind>
    var paths: PathEngine<SeededRandom>
    var report: NetReportEngine<SeededRandom>
    /// As the control server knows them.
    var announced: [Endpoint] = []
    var homeRelay: Int?
    var events: [PathEvent] = []

    /// By peer index: the next number to send, and what has arrived.
    var sent: [Int: UInt32] = [:]
    var received: [Int: Set<UInt32>] = [:]
    var lastArrival: [Int: MonotonicInstant] = [:]
    var longestSilence: [Int: Nanoseconds] = [:]
    var directArrivals: [Int: Int] = [:]
    var relayedArrivals: [Int: Int] = [:]
    /// When traffic to the peer first left by the direct path alone.
    var directSince: [Int: MonotonicInstant] = [:]
    /// Disco datagrams sent over UDP, by second.
    var discoSent: [UInt64: Int] = [:]
    var discoSentTotal = 0

    init(name: String, host: SimulatedNetwork.HostID, seed: UInt64) {
        self.name = name
        self.host = host
        nodeKey = privateKey(seed, NodeKind.self).publicKey
        discoKey = privateKey(seed ^ 0xD15C0, DiscoKind.self)
        paths = PathEngine(
            nodeKey: nodeKey, discoKey: discoKey, random: SeededRandom(seed: seed ^ 1))
        report = NetReportEngine(random: SeededRandom(seed: seed ^ 2))
    }

    /// A new process: everything in memory is gone, the disco key is new.
    func restart(seed: UInt64) {
        discoKey = privateKey(seed, DiscoKind.self)
        paths = PathEngine(
            nodeKey: nodeKey, discoKey: discoKey, random: SeededRandom(seed: seed ^ 1))
        report = NetReportEngine(random: SeededRandom(seed: seed ^ 2))
        announced = []
    }

    var nextDeadline: MonotonicInstant? { earliest(paths.nextDeadline, report.nextDeadline) }
}
