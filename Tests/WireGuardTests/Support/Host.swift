import CryptoPrimitives
import NetTypes
import WireGuard

/// A device with what it received and said, at an address of the virtual network.
final class Host {
    let number: Int
    let key: PrivateKey<NodeKind>
    var device: WireGuardDevice
    /// Where its datagrams come from. Change it to roam.
    var endpoint: Endpoint
    /// Added to the time of day of the network.
    var clockError = Nanoseconds.zero
    /// Which host each peer number stands for.
    var hostOfPeer: [Int: Int] = [:]

    var packets: [(peer: PeerIndex, bytes: [UInt8])] = []
    var events: [WireGuardEvent] = []
    /// Handshake messages, keepalives and data sent, by their type byte and length.
    var sent: [(at: MonotonicInstant, bytes: [UInt8], isData: Bool)] = []
    var results: [ReceiveResult] = []

    /// 10.0.0.`number`.
    var address: IPv4Address { IPv4Address(10, 0, 0, UInt8(number)) }

    init(_ number: Int, seed: UInt64, configuration: WireGuardDevice.Configuration) {
        self.number = number
        key = nodeKey(seed: seed &* 1000 &+ UInt64(number))
        device = WireGuardDevice(
            privateKey: key, configuration: configuration,
            random: SeededRandom(seed: seed &+ UInt64(number) << 32))
        endpoint = Endpoint(.v4(IPv4Address(192, 0, 2, UInt8(number))), port: 51820)
    }

    func sentCount(of type: UInt8) -> Int { sent.count { $0.bytes[0] == type } }
    var keepalivesSent: Int { sent.count { $0.bytes[0] == 4 && $0.bytes.count == 32 } }
    var received: [[UInt8]] { packets.map(\.bytes) }
}

/// An IPv4 packet of `count` bytes (20 at least) whose payload repeats `mark`.
func packet(
    from source: IPv4Address, to destination: IPv4Address, mark: UInt8, count: Int = 100
) -> [UInt8] {
    var bytes: [UInt8] = [0x45, 0]
    bytes.appendBigEndian(UInt16(count))
    bytes += [0, 0, 0, 0, 64, 17, 0, 0]
    bytes.appendBigEndian(source.bits)
    bytes.appendBigEndian(destination.bits)
    bytes.append(contentsOf: repeatElement(mark, count: count - 20))
    return bytes
}
