import CMeasurement
import CryptoPrimitives
import NetTypes
import SimulatedNetwork
import WireGuard

/// Bytes of the heap for each of `count` peers that are configured and never heard of.
func memoryResults(count: Int = 10_000) -> [String] {
    func bytesPerPeer<Kept>(_ name: String, _ make: () -> Kept) -> String {
        let before = cmeasurement_heap_byte_count()
        return withExtendedLifetime(make()) {
            "memory/\(name) bytes=\((cmeasurement_heap_byte_count() - before) / count)"
        }
    }
    return [
        bytesPerPeer("wireguard") { Tunnel(cipher: .libcrypto, otherPeers: count) },
        bytesPerPeer("paths") { Pair(otherPeers: count) },
        bytesPerPeer("key") {
            (0..<count).map { _ in Sealed(AEADKey(SecretBytes())) }
        },
    ]
}

private final class Sealed {
    let key: AEADKey
    init(_ key: consuming AEADKey) { self.key = key }
}
