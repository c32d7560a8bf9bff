import CryptoPrimitives
import DERP
import DERPClient
import NIOCore
import NIOPosix
import NIOSSL
import NetTypes
import RelayServer
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct SecurityTests {
    let group = MultiThreadedEventLoopGroup.singleton
    /// SHA-256 of the certificate below.
    let pin = "sha256-raw:db0883b7846458454205dac2f7a58b118dbbde0c7f555bd2e9696a4e0effdaa0"

    private func secureRelay(
        key: PrivateKey<RelayKind> = PrivateKey(), port: Int = 0, startsFast: Bool = true
    ) async throws -> TestRelay {
        let certificate = try NIOSSLCertificate.fromPEMBytes(Array(certificateText.utf8))
        let configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: certificate.map { .certificate($0) },
            privateKey: .privateKey(
                try NIOSSLPrivateKey(bytes: Array(privateKeyText.utf8), format: .pem)))
        return try await TestRelay(
            group: group, key: key, port: port,
            tls: try NIOSSLContext(configuration: configuration), startsFast: startsFast)
    }

    /// Whether the relay does as asked or answers in HTTP nonetheless.
    @Test(arguments: [true, false]) func aKnownRelayIsNotWaitedFor(startsFast: Bool) async throws {
        let relay = try await secureRelay(startsFast: startsFast)
        let map = relay.map {
            $0.isPlainHTTP = false
            $0.certName = pin
        }
        let (a, b) = (TestNode(group: group, map: map), TestNode(group: group, map: map))
        try await eventually("both connected") { relay.server.connectionCount == 2 }
        try await eventually("and know it") {
            a.recorder.connectedCount == 1 && b.recorder.connectedCount == 1
        }
        #expect(relay.fastStarts.count.withLock { $0 } == 0)
        relay.server.disconnect(a.key.publicKey)
        try await eventually("connected again") { a.recorder.connectedCount == 2 }
        #expect(relay.fastStarts.count.withLock { $0 } == 1)
        a.pool.send(region: 900, to: b.key.publicKey, packet: [1])
        try await eventually("arrived") { b.recorder.packetCount == 1 }
        await a.pool.shutDown()
        await b.pool.shutDown()
        try await relay.stop()
    }

    @Test func aRelayWithANewKeyIsReachedAllTheSame() async throws {
        let old = try await secureRelay()
        let port = old.port
        let map = old.map {
            $0.isPlainHTTP = false
            $0.certName = pin
        }
        let node = TestNode(group: group, map: map)
        try await eventually("connected") { node.recorder.connectedCount == 1 }
        try await old.stop()
        let new = try await secureRelay(port: port)
        try await eventually("connected again") { node.recorder.connectedCount == 2 }
        #expect(new.server.connectionCount == 1)
        await node.pool.shutDown()
        try await new.stop()
    }

    @Test func aPinnedCertificateIsAccepted() async throws {
        let relay = try await secureRelay()
        let map = relay.map {
            $0.isPlainHTTP = false
            $0.certName = pin
        }
        let a = TestNode(group: group, map: map)
        let b = TestNode(group: group, map: map)
        try await eventually("both connected") { relay.server.connectionCount == 2 }
        let packets = (0..<100).map { [UInt8](repeating: UInt8($0), count: 1_400) }
        for packet in packets { a.pool.send(region: 900, to: b.key.publicKey, packet: packet) }
        try await eventually("all arrived") { b.recorder.packetCount == 100 }
        #expect(b.recorder.packets.map(\.bytes) == packets)
        await a.pool.shutDown()
        await b.pool.shutDown()
        try await relay.stop()
    }

    @Test func anotherCertificateThanThePinnedOneIsRefused() async throws {
        let relay = try await secureRelay()
        let names: [String?] = [
            "sha256-raw:" + String(repeating: "00", count: 32), "sha256-raw:00", nil, "other.test",
        ]
        for name in names {
            let map = relay.map {
                $0.isPlainHTTP = false
                $0.certName = name
            }
            let node = TestNode(group: group, map: map)
            try await eventually("refused") { !node.recorder.disconnectReasons.isEmpty }
            #expect(node.recorder.connectedCount == 0, "\(name ?? "host name")")
            await node.pool.shutDown()
        }
        #expect(relay.server.connectionCount == 0)
        try await relay.stop()
    }

    @Test func testsMayGoWithoutVerification() async throws {
        let relay = try await secureRelay()
        let map = relay.map {
            $0.isPlainHTTP = false
            $0.isInsecureForTests = true
        }
        let node = TestNode(group: group, map: map)
        try await eventually("connected") { node.recorder.connectedCount == 1 }
        await node.pool.shutDown()
        try await relay.stop()
    }
}

// Made for these tests and used nowhere else.
private let privateKeyText = """
    -----BEGIN PRIVATE KEY-----
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg59kwKKubjLs7fRel
    fYMO1emqGc0EE2j+G6hNeQs9QImhRANCAATioUQLyFCUlEb4rNEwVtMteFNziQ/z
    eP7bPhLKlDWYTzsORW9GGOHIdsBgqCIS1PabkM/04HueusnVAiN/+ClE
    -----END PRIVATE KEY-----
    """
private let certificateText = """
    -----BEGIN CERTIFICATE-----
    MIIBmTCCAT6gAwIBAgIUVA7vFr0tv7hamk6CYXtZN5n+xEMwCgYIKoZIzj0EAwIw
    FTETMBEGA1UEAwwKcmVsYXkudGVzdDAgFw0yNjExMjQwODIwNDVaGA8yMTI2MTAz
    MTA4MjA0NVowFTETMBEGA1UEAwwKcmVsYXkudGVzdDBZMBMGByqGSM49AgEGCCqG
    SM49AwEHA0IABOKhRAvIUJSURvis0TBW0y14U3OJD/N4/ts+EsqUNZhPOw5Fb0YY
    4ch2wGCoIhLU9puQz/Tge566ydUCI3/4KUSjajBoMB0GA1UdDgQWBBQhv6bVHBW4
    mY5wW4GIQlTs/GQgGDAfBgNVHSMEGDAWgBQhv6bVHBW4mY5wW4GIQlTs/GQgGDAP
    BgNVHRMBAf8EBTADAQH/MBUGA1UdEQQOMAyCCnJlbGF5LnRlc3QwCgYIKoZIzj0E
    AwIDSQAwRgIhAKXOzHKTwMpKYPRx83O6fGS9XyfXbExT1+TSjdA078hQAiEAu1Y+
    ZFIzsu6e6c7Hpvqw9BudOwhk1Ui+cLkbR0g2Ulo=
    -----END CERTIFICATE-----
    """
