internal import CryptoPrimitives
internal import NetTypes
internal import WireGuardMessages

/// The keys that follow from a public key, by which messages to its holder are recognised (paper
/// §5.4.4) and cookies from it are sealed (§5.4.7). Both are public knowledge.
struct AuthenticationKeys {
    let mac1: Bytes32
    let cookie: Bytes32

    init(of publicKey: NodeKey) {
        mac1 = Self.derive(WireGuardConstants.labelMAC1, publicKey)
        cookie = Self.derive(WireGuardConstants.labelCookie, publicKey)
    }

    private static func derive(_ label: String, _ publicKey: NodeKey) -> Bytes32 {
        let label = Array(label.utf8)
        return publicKey.bytes.withBytes { unsafe BLAKE2s.hash(label.span.bytes, $0) }
    }
}

/// mac1 and mac2: keyed BLAKE2s of everything in front of them.
enum MessageAuthentication {
    typealias MAC = [16 of UInt8]

    static func mac1(_ message: RawSpan, key: Bytes32) -> MAC {
        let end = MessageMACs.mac1(in: message.byteCount).lowerBound
        return key.withBytes { BLAKE2s.mac16(key: $0, message.extracting(0..<end)) }
    }

    static func mac2(_ message: RawSpan, cookie: MAC) -> MAC {
        let end = MessageMACs.mac2(in: message.byteCount).lowerBound
        return unsafe BLAKE2s.mac16(key: cookie.span.bytes, message.extracting(0..<end))
    }

    static func verify(_ mac: MAC, in message: RawSpan, at range: Range<Int>) -> Bool {
        unsafe constantTimeEqual(mac.span.bytes, message.extracting(range))
    }

    static func store(_ mac: MAC, in message: inout [UInt8], at range: Range<Int>) {
        for (index, position) in range.enumerated() { message[position] = mac[index] }
    }
}
