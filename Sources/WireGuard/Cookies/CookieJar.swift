internal import CryptoPrimitives
internal import NetTypes
internal import WireGuardMessages

/// The sender's side of cookies for one peer: keeps the cookie it demanded and puts both MACs under
/// our handshake messages.
struct CookieJar {
    private var cookie: (mac: MessageAuthentication.MAC, receivedAt: MonotonicInstant)?
    /// Binds a cookie reply to the message it answers; nil when it has been answered.
    private var lastMAC1: MessageAuthentication.MAC?

    mutating func authenticate(
        _ message: inout [UInt8], keys: AuthenticationKeys, at now: MonotonicInstant
    ) {
        let count = message.count
        let mac1 = unsafe MessageAuthentication.mac1(message.span.bytes, key: keys.mac1)
        MessageAuthentication.store(mac1, in: &message, at: MessageMACs.mac1(in: count))
        lastMAC1 = mac1
        guard let cookie, now - cookie.receivedAt < WireGuardConstants.cookieRefreshTime else {
            return
        }
        let mac2 = unsafe MessageAuthentication.mac2(message.span.bytes, cookie: cookie.mac)
        MessageAuthentication.store(mac2, in: &message, at: MessageMACs.mac2(in: count))
    }

    /// False when the reply is not authentic or answers nothing we sent.
    mutating func consume(
        nonce: RawSpan, sealedCookie: RawSpan, keys: AuthenticationKeys, at now: MonotonicInstant
    ) -> Bool {
        guard let mac1 = lastMAC1 else { return false }
        let opened = unsafe XChaCha20Poly1305.open(
            sealedCookie, key: keys.cookie, nonce: nonce, authenticating: mac1.span.bytes)
        guard let opened, opened.count == 16 else { return false }
        cookie = ([16 of UInt8] { opened[$0] }, now)
        lastMAC1 = nil
        return true
    }
}
