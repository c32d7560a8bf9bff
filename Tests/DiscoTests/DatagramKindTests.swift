import Disco
import NetTypes
import Testing

@Suite("kinds of datagrams")
struct DatagramKindTests {
    private func kind(_ datagram: [UInt8]) -> DatagramKind { classify(datagram.span.bytes) }

    @Test("STUN, disco, WireGuard and Geneve are told apart")
    func kinds() {
        #expect(
            kind(bytes("0101000c2112a4420102030405060708090a0b0c00200008000183bbea12d545")) == .stun
        )
        #expect(kind(bytes("5453f09f92ac") + [UInt8](repeating: 7, count: 80)) == .disco)
        for type: UInt8 in 1...4 {
            #expect(kind([type, 0, 0, 0] + [UInt8](repeating: 9, count: 28)) == .wireGuard)
        }
        #expect(
            kind(bytes("00807a1101020300") + [UInt8](repeating: 1, count: 64))
                == .geneve(
                    GeneveHeader(content: .disco, virtualNetwork: 0x010203, isControl: true)))
        #expect(
            kind(bytes("00007a1201020300") + [UInt8](repeating: 1, count: 64))
                == .geneve(
                    GeneveHeader(content: .wireGuard, virtualNetwork: 0x010203, isControl: false)))
    }

    @Test("Geneve headers have the documented bytes")
    func geneve() {
        let control = GeneveHeader(content: .disco, virtualNetwork: 0x010203, isControl: true)
        let data = GeneveHeader(content: .wireGuard, virtualNetwork: 0x010203, isControl: false)
        #expect(control.encoded == bytes("00807a1101020300"))
        #expect(data.encoded == bytes("00007a1201020300"))
    }

    @Test("noise, sentinels and short datagrams are nothing")
    func unknown() {
        #expect(kind([]) == .unknown)
        #expect(kind([0]) == .unknown)
        #expect(kind([4, 0, 0, 0] + [UInt8](repeating: 0, count: 27)) == .unknown)
        #expect(kind([5, 0, 0, 0] + [UInt8](repeating: 0, count: 60)) == .unknown)
        #expect(kind([1, 0, 0, 1] + [UInt8](repeating: 0, count: 60)) == .unknown)
        // Disco magic, but shorter than any envelope.
        #expect(kind(bytes("5453f09f92ac") + [UInt8](repeating: 7, count: 73)) == .unknown)
    }
}
