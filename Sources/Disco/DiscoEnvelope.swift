package import CryptoPrimitives
package import NetTypes

/// The outside of a disco message.
///
/// | bytes | field |
/// |---|---|
/// | 0–5 | magic, `TS` and U+1F4AC in UTF-8 |
/// | 6–37 | the sender's disco key |
/// | 38–61 | nonce |
/// | 62– | NaCl box: tag, then the encrypted message |
package struct DiscoEnvelope: ~Escapable {
    package static var headerByteCount: Int { 6 + 32 }
    /// An envelope around the shortest message, type and version.
    package static var byteCountMin: Int { headerByteCount + 24 + 16 + 2 }

    package let sender: DiscoKey
    /// Nonce and box.
    package let sealed: RawSpan

    /// Nil when the datagram is not a disco envelope.
    @_lifetime(copy datagram)
    package init?(_ datagram: RawSpan) {
        guard Self.recognizes(datagram) else { return nil }
        sender = DiscoKey(Bytes32(datagram.extracting(6..<38)))
        sealed = datagram.extracting(38..<datagram.byteCount)
    }

    /// Whether a datagram begins with the magic and is long enough.
    package static func recognizes(_ datagram: RawSpan) -> Bool {
        datagram.byteCount >= byteCountMin
            && datagram.bigEndian(at: 0, as: UInt32.self) == 0x5453_F09F
            && datagram.bigEndian(at: 4, as: UInt16.self) == 0x92AC
    }
}

/// Seals messages to one peer and opens those from it. Making one costs an X25519 multiplication, so
/// it is kept with the peer.
package struct DiscoBox: Sendable {
    private let own: DiscoKey
    private let key: BoxKey

    /// Nil when the peer's key is a point of small order.
    package init?(own: PrivateKey<DiscoKind>, peer: DiscoKey) {
        guard let key = BoxKey(own, peer) else { return nil }
        self.own = own.publicKey
        self.key = key
    }

    /// A whole envelope around an encoded message.
    package func seal(_ message: RawSpan, random: inout some RandomNumberGenerator) -> [UInt8] {
        var envelope: [UInt8] = []
        envelope.reserveCapacity(DiscoEnvelope.headerByteCount + 40 + message.byteCount)
        envelope.appendBigEndian(UInt32(0x5453_F09F))
        envelope.appendBigEndian(UInt16(0x92AC))
        envelope.append(own.bytes)
        envelope += key.seal(message, random: &random)
        return envelope
    }

    /// The encoded message inside; nil when it is not authentic.
    package func open(_ envelope: borrowing DiscoEnvelope) -> [UInt8]? { key.open(envelope.sealed) }
}
