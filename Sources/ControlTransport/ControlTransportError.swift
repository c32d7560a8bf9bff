package import Noise

/// Why a control channel could not be opened, or ended.
package enum ControlTransportError: Error, Equatable {
    /// The server answered the upgrade with something else than 101: status and the first
    /// characters of its text.
    case upgradeRefused(status: Int, text: String)
    /// A 101 for another protocol than ours.
    case upgradedToOtherProtocol(String)
    /// What came back is no HTTP.
    case notHTTP
    case handshake(ControlHandshakeError)
    /// The stream is not cut into the frames of the protocol.
    case framing(ControlFrameSplitter.StreamError)
    case record(ControlSession.RecordError)
    case earlyPayloadTooLarge(Int)
    /// The connection was closed before the handshake was done.
    case closedDuringHandshake
}
