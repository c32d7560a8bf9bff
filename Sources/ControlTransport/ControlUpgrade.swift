internal import NIOCore
internal import NIOHTTP1

/// The words of the HTTP upgrade that opens a control channel (control protocol, "HTTP upgrade").
package enum ControlUpgrade {
    package static let path = "/ts2021"
    package static let protocolName = "tailscale-control-protocol"
    /// Carries the initiation in base64; of a WebSocket it is a field of the query.
    package static let handshakeHeader = "X-Tailscale-Handshake"
}
