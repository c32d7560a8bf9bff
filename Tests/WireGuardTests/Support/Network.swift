import CryptoPrimitives
import NetTypes
import WireGuard

/// Hosts in virtual time on a network that loses, repeats and reorders as its seed says.
final class Network {
    let seed: UInt64
    private(set) var now = MonotonicInstant(nanoseconds: 1_000_000_000_000)
    /// Time of day at the start.
    private let epoch = Timestamp(unixSeconds: 1_800_000_000)
    private let start = MonotonicInstant(nanoseconds: 1_000_000_000_000)

    var latency = Nanoseconds.milliseconds(20)
    /// Up to so much more, at random: reorders.
    var jitter = Nanoseconds.zero
    /// Of 1000 datagrams.
    var lost: UInt64 = 0
    var duplicated: UInt64 = 0
    /// Datagrams this says yes to vanish.
    var isBlocked: (_ from: Int, _ to: Int, _ bytes: [UInt8]) -> Bool = { _, _, _ in false }

    private(set) var hosts: [Host] = []
    private var random: SeededRandom
    private var wire: [(at: MonotonicInstant, order: Int, from: Int, to: Int, bytes: [UInt8])] = []
    private var order = 0

    init(seed: UInt64) {
        self.seed = seed
        random = SeededRandom(seed: seed)
    }

    /// Two hosts that know each other.
    static func pair(
        seed: UInt64, configuration: WireGuardDevice.Configuration = .init(),
        keepalive: Nanoseconds = .zero
    ) throws -> (Network, Host, Host) {
        let network = Network(seed: seed)
        let a = network.addHost(configuration)
        let b = network.addHost(configuration)
        try network.connect(a, b, keepalive: keepalive)
        return (network, a, b)
    }

    func addHost(_ configuration: WireGuardDevice.Configuration = .init()) -> Host {
        let host = Host(hosts.count + 1, seed: seed, configuration: configuration)
        hosts.append(host)
        return host
    }

    func connect(_ a: Host, _ b: Host, keepalive: Nanoseconds = .zero) throws {
        try learn(a, about: b, keepalive: keepalive)
        try learn(b, about: a)
    }

    func learn(_ host: Host, about other: Host, keepalive: Nanoseconds = .zero) throws {
        let index = try host.device.upsertPeer(
            PeerConfiguration(
                publicKey: other.key.publicKey,
                allowedIPs: [IPPrefix(host: .v4(other.address))],
                persistentKeepalive: keepalive),
            at: now)
        host.hostOfPeer[index.number] = other.number
        settle(host)
    }

    func civil(of host: Host) -> Timestamp { epoch + (now - start) + host.clockError }

    /// Gives a packet from `host`'s tunnel to its device.
    @discardableResult
    func send(_ host: Host, to other: Host, mark: UInt8, count: Int = 100) -> SealResult? {
        send(
            host, packet(from: host.address, to: other.address, mark: mark, count: count),
            to: .v4(other.address))
    }

    @discardableResult
    func send(_ host: Host, _ packet: [UInt8], to address: IPAddress) -> SealResult? {
        guard let peer = host.device.peer(forDestination: address) else { return nil }
        var slot = [UInt8](repeating: 0xAA, count: 2048)
        slot.replaceSubrange(64..<64 + packet.count, with: packet)
        var span = slot.mutableSpan
        var bytes = span.mutableBytes
        let result = host.device.seal(
            slot: &bytes, payload: 64..<64 + packet.count, for: peer, at: now)
        if case .sealed(let range) = result {
            let message = Array(slot[range])
            host.sent.append((now, message, true))
            transmit(message, from: host, to: host.hostOfPeer[peer.number]!)
        }
        settle(host)
        return result
    }

    /// Puts bytes on the wire as if `host` had sent them.
    func transmit(_ bytes: [UInt8], from host: Host, to other: Int) {
        guard !isBlocked(host.number, other, bytes), random.next() % 1000 >= lost else { return }
        let copies = random.next() % 1000 < duplicated ? 2 : 1
        for _ in 0..<copies {
            var delay = latency
            if jitter > .zero {
                delay = delay + Nanoseconds(count: Int64(random.next() % UInt64(jitter.count)))
            }
            order += 1
            wire.append((now + delay, order, host.number, other, bytes))
        }
    }

    /// What the driver does after its inputs.
    func settle(_ host: Host) {
        for _ in 0..<10_000 {
            host.device.handleTimeout(at: now, civil: civil(of: host))
            drain(host)
            guard let deadline = host.device.nextDeadline, deadline <= now else { return }
        }
        fatalError("the device never comes to rest, seed \(seed)")
    }

    private func drain(_ host: Host) {
        var slot = [UInt8](repeating: 0, count: 2048)
        while true {
            var span = slot.mutableSpan
            var bytes = span.mutableBytes
            guard let transmit = host.device.pollTransmit(into: &bytes, at: 32, now: now) else {
                break
            }
            let message = Array(slot[transmit.range])
            host.sent.append((now, message, transmit.isData))
            let destination: Int? =
                switch transmit.destination {
                case .peer(let peer): host.hostOfPeer[peer.number]
                case .reply(_, let source), .source(let source): number(at: source)
                }
            if let destination { self.transmit(message, from: host, to: destination) }
        }
        while let event = host.device.pollEvent() { host.events.append(event) }
    }

    private func number(at source: PacketSource) -> Int? {
        guard case .direct(let endpoint) = source else { return nil }
        return hosts.first { $0.endpoint == endpoint }?.number
    }

    /// Gives a datagram to `host` at once.
    @discardableResult
    func deliver(_ datagram: [UInt8], to host: Host, from source: PacketSource) -> ReceiveResult {
        var datagram = datagram
        var span = datagram.mutableSpan
        var bytes = span.mutableBytes
        let result = host.device.receive(datagram: &bytes, from: source, at: now)
        host.results.append(result)
        if case .packet(let peer, let range) = result {
            host.packets.append((peer, Array(datagram[range])))
        }
        return result
    }

    /// Lets time pass, with all that happens in it.
    func run(for duration: Nanoseconds) {
        let end = now + duration
        while true {
            var next = end
            for datagram in wire { next = min(next, datagram.at) }
            for host in hosts {
                if let deadline = host.device.nextDeadline { next = min(next, max(now, deadline)) }
            }
            now = next
            var due = wire.filter { $0.at <= now }
            wire.removeAll { $0.at <= now }
            due.sort { ($0.at, $0.order) < ($1.at, $1.order) }
            for datagram in due {
                let sender = hosts[datagram.from - 1]
                deliver(
                    datagram.bytes, to: hosts[datagram.to - 1], from: .direct(sender.endpoint))
            }
            for host in hosts { settle(host) }
            if now >= end { return }
        }
    }

    /// Lets time pass without anything noticing, as while suspended.
    func jump(by duration: Nanoseconds) { now = now + duration }
}
