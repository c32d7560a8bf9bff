import CryptoPrimitives
import NetTypes
import Noise
import WireGuard

let wireGuardFuzzTargets: [FuzzTarget] = [
    FuzzTarget(name: "wireguard-receive") { bytes in
        var pair = TunnelPair()
        pair.handshake()
        pair.deliverToResponder(bytes.array)
    },
    // The bytes are laid over a genuine handshake message by XOR, the first one choosing which, and
    // mac1 is made right again: the change reaches the seals behind it.
    FuzzTarget(name: "wireguard-handshake") { bytes in
        guard bytes.byteCount > 0 else { return }
        var pair = TunnelPair()
        let initiation = pair.initiation()
        if bytes.byte(at: 0) & 1 == 0 {
            pair.deliverToResponder(
                changed(initiation, by: bytes, recipient: pair.responderKey.publicKey))
        } else {
            let response = pair.response(to: initiation)
            pair.deliverToInitiator(
                changed(response, by: bytes, recipient: pair.initiatorKey.publicKey))
        }
    },
    // The bytes are the inner packet of a genuine session.
    FuzzTarget(name: "wireguard-inner") { bytes in
        var pair = TunnelPair()
        pair.handshake()
        pair.sendInner(bytes.extracting(0..<min(1500, bytes.byteCount)))
    },
    FuzzTarget(name: "wireguard-uapi") { _ = try? UAPI.parse($0) },
    FuzzTarget(name: "noise-frames") { bytes in
        // Cut in two at every length the first byte names.
        guard bytes.byteCount > 0 else { return }
        let cut = min(bytes.byteCount, Int(bytes.byte(at: 0)))
        var splitter = ControlFrameSplitter()
        do throws(ControlFrameSplitter.StreamError) {
            for part in [0..<cut, cut..<bytes.byteCount] {
                let chunk = bytes.extracting(part)
                var offset = 0
                while let frame = try splitter.next(chunk, from: &offset) { _ = frame.errorText }
                precondition(offset == chunk.byteCount && splitter.pendingByteCount < 4096)
            }
        } catch {
            return
        }
    },
    FuzzTarget(name: "noise-responder") { bytes in
        let key = fixedKey(0x22, as: MachineKind.self)
        _ = try? ControlResponder(
            initiation: bytes, serverKey: key, ephemeral: fixedKey(0x44, as: EphemeralKind.self)
        ).response
    },
]

private func fixedKey<Kind: KeyKind>(_ byte: UInt8, as kind: Kind.Type) -> PrivateKey<Kind> {
    PrivateKey(SecretBytes(copying: [UInt8](repeating: byte, count: 32).span.bytes))
}

/// `message` with `bytes`, the first left out, laid over it, and a right mac1.
private func changed(
    _ message: [UInt8], by bytes: RawSpan, recipient: NodeKey
) -> [UInt8] {
    var message = message
    // The type stays: other messages are another target's.
    for position in 4..<min(message.count, bytes.byteCount + 3) {
        message[position] ^= bytes.byte(at: position - 3)
    }
    let macs = message.count - 32
    let label = Array("mac1----".utf8)
    let key = recipient.bytes.withBytes { BLAKE2s.hash(label.span.bytes, $0) }
    let covered = Array(message[..<macs])
    let mac = key.withBytes { BLAKE2s.mac16(key: $0, covered.span.bytes) }
    for index in 0..<16 { message[macs + index] = mac[index] }
    return message
}

/// Two devices that know each other, always with the same random numbers.
private struct TunnelPair: ~Copyable {
    struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state
        }
    }

    let initiatorKey = fixedKey(0x31, as: NodeKind.self)
    let responderKey = fixedKey(0x32, as: NodeKind.self)
    var initiator: WireGuardDevice
    var responder: WireGuardDevice
    let now = MonotonicInstant(nanoseconds: 1 << 40)
    let civil = Timestamp(unixSeconds: 1_800_000_000)
    let source = PacketSource.direct(Endpoint(.v4(IPv4Address(192, 0, 2, 1)), port: 1))
    let peer = PeerIndex(number: 0)

    init() {
        initiator = WireGuardDevice(privateKey: initiatorKey, random: Generator(state: 1))
        responder = WireGuardDevice(privateKey: responderKey, random: Generator(state: 2))
        let everything = [
            IPPrefix(.v4(.any), length: 0), IPPrefix(.v6(.any), length: 1),
        ]
        do throws(PeerConfigurationError) {
            try initiator.upsertPeer(
                PeerConfiguration(publicKey: responderKey.publicKey, allowedIPs: everything),
                at: now)
            try responder.upsertPeer(
                PeerConfiguration(publicKey: initiatorKey.publicKey, allowedIPs: everything),
                at: now)
        } catch {
            preconditionFailure("the peers are valid: \(error)")
        }
    }

    mutating func initiation() -> [UInt8] {
        initiator.initiateHandshake(with: peer, at: now)
        return Self.settle(&initiator, at: now, civil)[0]
    }
    mutating func response(to initiation: [UInt8]) -> [UInt8] {
        deliverToResponder(initiation)[0]
    }
    mutating func handshake() {
        let confirmation = deliverToInitiator(response(to: initiation()))
        deliverToResponder(confirmation[0])
    }

    @discardableResult
    mutating func deliverToResponder(_ datagram: [UInt8]) -> [[UInt8]] {
        Self.deliver(datagram, to: &responder, from: source, at: now, civil)
    }
    @discardableResult
    mutating func deliverToInitiator(_ datagram: [UInt8]) -> [[UInt8]] {
        Self.deliver(datagram, to: &initiator, from: source, at: now, civil)
    }

    mutating func sendInner(_ packet: RawSpan) {
        var slot = [UInt8](repeating: 0, count: 1600)
        var span = slot.mutableSpan
        var bytes = span.mutableBytes
        bytes.copy(packet, at: 16)
        let result = initiator.seal(
            slot: &bytes, payload: 16..<16 + packet.byteCount, for: peer, at: now)
        guard case .sealed(let range) = result else {
            preconditionFailure("there is a session")
        }
        deliverToResponder(Array(slot[range]))
    }

    private static func deliver(
        _ datagram: [UInt8], to device: inout WireGuardDevice, from source: PacketSource,
        at now: MonotonicInstant, _ civil: Timestamp
    ) -> [[UInt8]] {
        var datagram = datagram
        var span = datagram.mutableSpan
        var bytes = span.mutableBytes
        if case .packet(_, let range) = device.receive(datagram: &bytes, from: source, at: now) {
            precondition(range.upperBound + 16 <= bytes.byteCount, "the packet lies inside")
        }
        return settle(&device, at: now, civil)
    }

    private static func settle(
        _ device: inout WireGuardDevice, at now: MonotonicInstant, _ civil: Timestamp
    ) -> [[UInt8]] {
        device.handleTimeout(at: now, civil: civil)
        var messages: [[UInt8]] = []
        var slot = [UInt8](repeating: 0, count: 1600)
        while true {
            var span = slot.mutableSpan
            var bytes = span.mutableBytes
            guard let transmit = device.pollTransmit(into: &bytes, at: 0, now: now) else { break }
            messages.append(Array(slot[transmit.range]))
        }
        while device.pollEvent() != nil {}
        return messages
    }
}
