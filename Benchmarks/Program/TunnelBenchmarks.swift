import CryptoPrimitives
import IPPacket
import NetTypes
import WireGuard

/// Sealing and opening, alone (the cipher) and in a session (all that WireGuard does to a packet).
func tunnelBenchmarks() -> [Benchmark] {
    var benchmarks: [Benchmark] = []
    for cipher in CipherBackend.allCases where cipher.isAvailable {
        for size in [64, 1420] {
            benchmarks.append(sealingAlone(cipher, size: size))
        }
    }
    for size in [64, 1420] {
        benchmarks.append(sealing(size: size))
        benchmarks.append(opening(size: size))
    }
    for others in [0, 10_000] { benchmarks.append(peerByDestination(others: others)) }
    return benchmarks
}

private func packet(of size: Int) -> [UInt8] {
    PacketBuilder.udp(
        from: Endpoint(Tunnel.nearAddress, port: 40_000),
        to: Endpoint(Tunnel.farAddress, port: 50_000),
        payload: [UInt8](repeating: 7, count: size - 28))
}

private func sealingAlone(_ cipher: CipherBackend, size: Int) -> Benchmark {
    Benchmark("cipher/\(cipher)/\(size)") { _ in
        let key = Key(AEADKey(SecretBytes(), backend: cipher))
        let memory = PacketMemory(slots: 1)
        return { number in
            var bytes = MutableRawSpan(_unsafeBytes: memory[0][..<(size + 16)])
            key.value.seal(inPlace: &bytes, counter: UInt64(number))
        }
    }
}

/// A key cannot be copied, and closures hold only what can.
private final class Key {
    let value: AEADKey
    init(_ value: consuming AEADKey) { self.value = value }
}

// libcrypto's instructions are the same on every processor of a kind, which makes counts comparable.
private func sealing(size: Int) -> Benchmark {
    Benchmark("seal/\(size)") { _ in
        let tunnel = Tunnel(cipher: .libcrypto)
        let memory = PacketMemory(slots: 1)
        let payload = Tunnel.payloadStart..<Tunnel.payloadStart + size
        memory.put(packet(of: size), at: payload.lowerBound, inSlot: 0)
        return { _ in
            tunnel.tick()
            var slot = MutableRawSpan(_unsafeBytes: memory[0])
            let result = tunnel.near.seal(
                slot: &slot, payload: payload, for: tunnel.farPeer, at: tunnel.now)
            guard case .sealed = result else { fatalError("not sealed: \(result)") }
        }
    }
}

private func opening(size: Int) -> Benchmark {
    Benchmark("open/\(size)") { count in
        let tunnel = Tunnel(cipher: .libcrypto)
        let payload = Tunnel.payloadStart..<Tunnel.payloadStart + size
        let memory = PacketMemory(slots: count)
        let messages = (0..<count).map { number in
            memory.put(packet(of: size), at: payload.lowerBound, inSlot: number)
            var slot = MutableRawSpan(_unsafeBytes: memory[number])
            let result = tunnel.near.seal(
                slot: &slot, payload: payload, for: tunnel.farPeer, at: tunnel.now)
            guard case .sealed(let range) = result else { fatalError("not sealed: \(result)") }
            return range
        }
        let source = PacketSource.direct(Endpoint(.v4(IPv4Address(192, 0, 2, 1)), port: 41_641))
        return { number in
            tunnel.tick()
            var slot = MutableRawSpan(_unsafeBytes: memory[number])
            var datagram = slot._mutatingExtracting(messages[number])
            let result = tunnel.far.receive(datagram: &datagram, from: source, at: tunnel.now)
            guard case .packet = result else { fatalError("not opened: \(result)") }
        }
    }
}

private func peerByDestination(others: Int) -> Benchmark {
    Benchmark("peer/\(others + 1)") { _ in
        let tunnel = Tunnel(cipher: .libcrypto, otherPeers: others)
        return { _ in
            let peer = tunnel.near.peer(forDestination: Tunnel.farAddress)
            precondition(peer == tunnel.farPeer, "another peer")
        }
    }
}
