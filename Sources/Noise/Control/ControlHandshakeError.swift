/// Why a control channel's handshake failed.
package enum ControlHandshakeError: Error, Equatable {
    /// A message of another size than the protocol's. Answer with an error frame.
    case wrongLength(needed: Int, have: Int)
    /// A message of another type. Answer with an error frame.
    case wrongType(UInt8)
    /// A length field that contradicts the message's size. Answer with an error frame.
    case wrongLengthField(UInt16)
    /// The other side's key is a point of small order.
    case invalidKey
    /// The other side does not hold the key we know, or the bytes were changed on the way.
    case notAuthentic
    /// The server answered with this text, cut and escaped. It is not authenticated.
    case refused(String)

    /// What a server puts into its error frame; nil when it should just close.
    package var replyText: String? {
        switch self {
        case .wrongLength: "wrong initiation size"
        case .wrongType: "unexpected message type"
        case .wrongLengthField: "wrong length field"
        case .invalidKey, .notAuthentic, .refused: nil
        }
    }
}
