internal import NetTypes

/// The four messages. On the wire a message starts with its type and three zero bytes, read here as
/// one little-endian number.
package enum MessageKind: UInt32, Sendable {
    case initiation = 1
    case response = 2
    case cookieReply = 3
    case transport = 4

    /// The kind of a message of the right length for it: exact for the first three, at least an
    /// empty packet for transport. Nil for anything else.
    @inlinable
    package init?(of message: RawSpan) {
        guard message.byteCount >= 32,
            let kind = MessageKind(rawValue: message.littleEndian(at: 0))
        else { return nil }
        let fits =
            switch kind {
            case .initiation: message.byteCount == InitiationMessage.byteCount
            case .response: message.byteCount == ResponseMessage.byteCount
            case .cookieReply: message.byteCount == CookieReplyMessage.byteCount
            case .transport: message.byteCount >= TransportMessage.overhead
            }
        guard fits else { return nil }
        self = kind
    }
}
