import CMeasurement
import ControlMessages
import CryptoPrimitives
import NetTypes
import NodeCore
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
    let map = networkMap(count)
    let time = Timestamp(unixSeconds: 1_800_000_000)
    return [
        bytesPerPeer("wireguard") { Tunnel(cipher: .libcrypto, otherPeers: count) },
        bytesPerPeer("paths") { Pair(otherPeers: count) },
        bytesPerPeer("map") { networkMap(count) },
        bytesPerPeer("desired") {
            let desired = DesiredConfiguration(map: map, settings: NodeSettings(), now: time)
            precondition(desired.peers.count == count, "peers are missing")
            return desired
        },
        bytesPerPeer("key") {
            (0..<count).map { _ in Sealed(AEADKey(SecretBytes())) }
        },
    ]
}

private final class Sealed {
    let key: AEADKey
    init(_ key: consuming AEADKey) { self.key = key }
}

/// A network of `count` peers, as an official client tells of itself.
private func networkMap(_ count: Int) -> NetworkMap {
    var random = SeededRandom(seed: 4)
    func key() -> String { Hexadecimal.encode(random.bytes(count: 32)) }
    let peers = (0..<count).map { number in
        let prefixes = Tunnel.prefixes(of: number).map { "\"\($0)\"" }.joined(separator: ",")
        let endpoints = [
            "\"198.51.\(number >> 8).\(number & 255):41641\"",
            "\"172.16.\(number >> 8).\(number & 255):41641\"",
            "\"[2001:db8::\(String(number, radix: 16))]:41641\"",
        ].joined(separator: ",")
        return """
            {"ID":\(number + 10),"StableID":"n\(number)","Name":"machine-\(number).example.net.","User":1,
            "Key":"nodekey:\(key())","Machine":"mkey:\(key())","DiscoKey":"discokey:\(key())",
            "Addresses":[\(prefixes)],"AllowedIPs":[\(prefixes)],"Endpoints":[\(endpoints)],"HomeDERP":1,
            "Hostinfo":{"IPNVersion":"1.96.5","OS":"linux","OSVersion":"6.12.0","Distro":"debian",
            "DistroVersion":"12.11","DistroCodeName":"bookworm","Hostname":"machine-\(number)",
            "Machine":"x86_64","GoArch":"amd64","GoVersion":"go1.26",
            "Services":[{"Proto":"peerapi4","Port":41000},{"Proto":"peerapi6","Port":41001}]},
            "Created":"2026-11-23T19:55:18.233022679Z","Cap":133,"Online":true,"MachineAuthorized":true}
            """
    }
    let own =
        "{\"ID\":1,\"Key\":\"nodekey:\(key())\",\"Addresses\":[\"\(Tunnel.nearAddress)/32\"]}"
    let text = "{\"Node\":\(own),\"Peers\":[\(peers.joined(separator: ","))]}"
    var map = NetworkMap()
    let response = try! MapResponse(
        jsonBytes: Array(text.utf8), limits: .init(byteCount: text.utf8.count))
    _ = map.apply(response, now: Timestamp(unixSeconds: 1_800_000_000))
    precondition(map.peers.count == count, "peers are missing")
    return map
}
