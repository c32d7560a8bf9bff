import CryptoPrimitives
import NetTypes
import SimulatedNetwork
import WireGuard

/// Two WireGuard devices with a session, and the first with as many peers more as wanted.
final class Tunnel {
    static let payloadStart = 64
    static let slotByteCount = 2048

    var near: WireGuardDevice
    var far: WireGuardDevice
    let farPeer: PeerIndex
    private(set) var now = MonotonicInstant(nanoseconds: 1_000_000_000_000)
    private let civil = Timestamp(unixSeconds: 1_800_000_000)
    static let nearAddress = IPAddress.v4(IPv4Address(100, 64, 0, 1))
    static let farAddress = IPAddress.v4(IPv4Address(100, 64, 0, 2))

    init(cipher: CipherBackend, otherPeers: Int = 0) {
        var random = SeededRandom(seed: 1)
        func key() -> PrivateKey<NodeKind> {
            PrivateKey(SecretBytes(copying: random.bytes(count: 32).span.bytes))
        }
        let (nearKey, farKey) = (key(), key())
        let configuration = WireGuardDevice.Configuration(mtu: 1440, cipher: cipher)
        near = WireGuardDevice(
            privateKey: nearKey, configuration: configuration, random: SeededRandom(seed: 2))
        far = WireGuardDevice(
            privateKey: farKey, configuration: configuration, random: SeededRandom(seed: 3))
        for number in 0..<otherPeers {
            try! near.upsertPeer(
                PeerConfiguration(
                    publicKey: NodeKey(Bytes32(random.bytes(count: 32))),
                    allowedIPs: Self.prefixes(of: number)), at: now)
        }
        farPeer = try! near.upsertPeer(
            PeerConfiguration(
                publicKey: farKey.publicKey, allowedIPs: [IPPrefix(host: Self.farAddress)]),
            at: now)
        try! far.upsertPeer(
            PeerConfiguration(
                publicKey: nearKey.publicKey, allowedIPs: [IPPrefix(host: Self.nearAddress)]),
            at: now)
        near.initiateHandshake(with: farPeer, at: now)
        for _ in 0..<4 { exchange() }
    }

    /// As a tailnet gives its nodes: an IPv4 and an IPv6 address.
    static func prefixes(of number: Int) -> [IPPrefix] {
        [
            IPPrefix(host: .v4(IPv4Address(bits: 0x6464_0000 + UInt32(number)))),
            IPPrefix(host: .v6(IPv6Address(high: 0xFD7A_115C_A1E0_0000, low: UInt64(number) + 9))),
        ]
    }

    /// Lets a microsecond pass.
    func tick() { now = now + .microseconds(1) }

    /// Hands over what the devices have to say of themselves.
    private func exchange() {
        deliver(&near, &far)
        deliver(&far, &near)
    }

    private func deliver(_ sender: inout WireGuardDevice, _ receiver: inout WireGuardDevice) {
        let source = PacketSource.direct(Endpoint(.v4(IPv4Address(192, 0, 2, 1)), port: 41_641))
        var slot = [UInt8](repeating: 0, count: Self.slotByteCount)
        sender.handleTimeout(at: now, civil: civil)
        while true {
            var span = slot.mutableSpan
            var bytes = span.mutableBytes
            guard let sent = sender.pollTransmit(into: &bytes, at: 0, now: now) else { break }
            var datagram = bytes._mutatingExtracting(sent.range)
            _ = receiver.receive(datagram: &datagram, from: source, at: now)
        }
        while sender.pollEvent() != nil {}
    }
}
