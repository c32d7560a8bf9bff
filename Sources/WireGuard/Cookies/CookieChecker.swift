internal import CryptoPrimitives
internal import NetTypes
internal import WireGuardMessages

/// The receiver's side of cookies: tells messages meant for us from noise and, under load, senders
/// that can receive at their address from those that cannot (paper §5.3).
struct CookieChecker {
    private let keys: AuthenticationKeys
    private var secret = Bytes32()
    private var secretMadeAt: MonotonicInstant?

    init(publicKey: NodeKey) { keys = AuthenticationKeys(of: publicKey) }

    func isMAC1Valid(_ message: RawSpan) -> Bool {
        let mac1 = MessageAuthentication.mac1(message, key: keys.mac1)
        return MessageAuthentication.verify(
            mac1, in: message, at: MessageMACs.mac1(in: message.byteCount))
    }

    mutating func isMAC2Valid(
        _ message: RawSpan, from source: PacketSource, at now: MonotonicInstant,
        random: inout some RandomNumberGenerator
    ) -> Bool {
        let mac2 = MessageAuthentication.mac2(
            message, cookie: cookie(for: source, at: now, random: &random))
        return MessageAuthentication.verify(
            mac2, in: message, at: MessageMACs.mac2(in: message.byteCount))
    }

    /// The reply that gives the sender of `message` its cookie.
    mutating func makeReply(
        to message: RawSpan, from source: PacketSource, at now: MonotonicInstant,
        random: inout some RandomNumberGenerator
    ) -> [UInt8] {
        let cookie = cookie(for: source, at: now, random: &random)
        let nonce = random.bytes(count: 24)
        let mac1 = message.extracting(MessageMACs.mac1(in: message.byteCount))
        let sealed = unsafe XChaCha20Poly1305.seal(
            cookie.span.bytes, key: keys.cookie, nonce: nonce.span.bytes, authenticating: mac1)
        // The sender index stands at the same place in both messages that are answered so.
        return CookieReplyMessage.encode(
            receiverIndex: message.littleEndian(at: 4), nonce: nonce, sealedCookie: sealed)
    }

    private mutating func cookie(
        for source: PacketSource, at now: MonotonicInstant,
        random: inout some RandomNumberGenerator
    ) -> MessageAuthentication.MAC {
        let isFresh = secretMadeAt.map { now - $0 < WireGuardConstants.cookieRefreshTime } ?? false
        if !isFresh {
            secret = Bytes32(random.bytes(count: 32))
            secretMadeAt = now
        }
        let bytes = source.cookieBytes
        return secret.withBytes { unsafe BLAKE2s.mac16(key: $0, bytes.span.bytes) }
    }
}
