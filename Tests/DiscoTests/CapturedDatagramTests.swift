import Disco
import NetTypes
import Testing

/// UDP payloads of two official nodes (Tailscale 1.96.5), as recorded in `captures/session.pcap`. Their
/// disco keys are not known, so they can be told and taken apart, but not opened.
enum Captured {
    static let pingOfA = bytes(
        "5453f09f92ac8f39f7c08ccc8aa1a2775a8dc50cca341b618dfa1b9a759e9c9c11f78d588719"
            + "3ed6eef22f73e31849460fb41916f57353221cbfa39da42de734c3161a8a284c8c36bed6f261"
            + "f03cfe4465f7341b8d1f48bb45c3462e9eee96502c31ac2990a1867c06803d202617e8597f43"
            + "d399f5fcd529fdd1f118")
    static let pongOfB = bytes(
        "5453f09f92ac491062714992458cb4f33fc54fed09e454aa19c113c2d5d063e750bb3c5f5104"
            + "588aba5b97787e5ed945ca13cf65bf4047685b9052a05629da7a3e02f7f1c9caeb98c7797f7e"
            + "7f5e75f7ca190163a166801dc91053ee698d7cd0714420780e71d47a1dd9dc8bb32e")
    static let pingOfB = bytes(
        "5453f09f92ac491062714992458cb4f33fc54fed09e454aa19c113c2d5d063e750bb3c5f5104"
            + "d4b067e2d1e995f3da2c62bed5a6f2b63f6acee9518e88e3fd6b46ed573584a780476af947be"
            + "132c45fba98397bce516caa269b76560e93a44c861af03dceff581c05d1d9cc1b990205b137a"
            + "cbb0d49519c546b1ba50")
    static let pongOfA = bytes(
        "5453f09f92ac8f39f7c08ccc8aa1a2775a8dc50cca341b618dfa1b9a759e9c9c11f78d588719"
            + "70952b6decbeec68986d0ccdcf890a4e9cbc20b440471412f5aa83ac3ecfcf518901acb4c87d"
            + "9cf544ddd86140ced063a0adf7b7f28b01cb4cf5ca074f18f78042123ffdf58d35d1")
    static let initiation = bytes(
        "01000000036a61dae0e72d02814a8caaec958b0acae26f878692b43d3ef12ced0964e85df3ce"
            + "5542d225f086884a09ff0d24a2ba028104b2530979cbc7b2e3735259f4804463903de9dd57f3"
            + "b812fd9ceed78487cb4437b0f09a2f7330944f33a5393acfab90ac02423ef73794b9cad737c3"
            + "7ff2497a19887486ca2b83fe766257805deb00000000000000000000000000000000")
    static let transport = bytes(
        "040000001d8f46c6000000000000000066de534bc158498fa058f6e315438639fa63b9ab43e6"
            + "60f0c62c5a4cf9f15d7eb8b2d1f44c4fcf1b1ec765b89670a5cdc7982d1cb795dda14740a475"
            + "a59f9d0a0e04717882cc2c8d6cc221b6ecac7c1ae4474603af19d270a24b68f796ce1d82f6c9"
            + "14534f9b371be733533700042448")
    static let stunResponse = bytes(
        "0101000c2112a4426f4969ad1336563b4cc49dbc00200008000183bb2b71a440")
    /// What else came to the socket's port: NAT-PMP, PCP and UPnP.
    static let portMapping = [
        bytes(
            "0000"),
        bytes(
            "020000000000000000000000000000000000ffff0a630002"),
        bytes(
            "4d2d534541524348202a20485454502f312e310d0a484f53543a203233392e3235352e323535"
                + "2e3235303a313930300d0a53543a20737364703a616c6c0d0a4d414e3a2022737364703a6469"
                + "73636f766572220d0a4d583a20320d0a0d0a"),
    ]
}

@Suite("captured datagrams")
struct CapturedDatagramTests {
    @Test("datagrams of official nodes are told apart")
    func kinds() {
        for disco in [Captured.pingOfA, Captured.pongOfB, Captured.pingOfB, Captured.pongOfA] {
            #expect(classify(disco.span.bytes) == .disco)
        }
        #expect(classify(Captured.initiation.span.bytes) == .wireGuard)
        #expect(classify(Captured.transport.span.bytes) == .wireGuard)
        #expect(classify(Captured.stunResponse.span.bytes) == .stun)
        for other in Captured.portMapping { #expect(classify(other.span.bytes) == .unknown) }
    }

    @Test("a ping and the pong to it have the sizes ours have, and each node one key")
    func envelopes() {
        func sender(_ datagram: [UInt8]) -> DiscoKey? { DiscoEnvelope(datagram.span.bytes)?.sender }
        #expect(sender(Captured.pingOfA) != nil)
        #expect(sender(Captured.pingOfA) == sender(Captured.pongOfA))
        #expect(sender(Captured.pingOfB) == sender(Captured.pongOfB))
        #expect(sender(Captured.pingOfA) != sender(Captured.pingOfB))
        let overhead = DiscoEnvelope.byteCountMin - 2
        let ping = DiscoMessage.ping(sampleID, nodeKey: key(1)).encoded().count
        let pong = DiscoMessage.pong(sampleID, source: sampleEndpoints[0]).encoded().count
        #expect(Captured.pingOfA.count == overhead + ping)
        #expect(Captured.pongOfA.count == overhead + pong)
    }
}
