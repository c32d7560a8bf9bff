package import CryptoPrimitives
package import DERP
package import Logging
package import NIOCore
package import NetTypes

/// A DERP relay for connections that an HTTP server has upgraded.
///
/// The HTTP server recognizes `GET /derp` with `Upgrade: DERP`, answers 101 with
/// `upgradeHeaders` (or nothing, when the request has `Derp-Fast-Start: 1`), removes its handlers
/// and calls `adopt`.
package final class RelayServer: Sendable {
    /// Whether the node may use this relay; asked once per login.
    package typealias Admission = @Sendable (NodeKey, IPAddress?) async -> Bool

    package init(
        privateKey: PrivateKey<RelayKind>, logger: Logger,
        configuration: Configuration = Configuration(), admit: @escaping Admission
    ) {
    }

    package struct Configuration: Sendable {
        package init() {}
    }

    /// Headers of the answer 101: `Upgrade`, `Connection`, `Derp-Version`, `Derp-Public-Key`.
    package var upgradeHeaders: [(name: String, value: String)] { [] }

    /// Takes over a channel that has nothing left in its pipeline but TLS, if any. `leftover` are
    /// bytes that arrived behind the request. Call it on the channel's event loop, right after the
    /// last HTTP handler was removed.
    package func adopt(
        channel: any Channel, remoteAddress: IPAddress?, leftover: ByteBuffer?
    ) throws {
    }

    /// Closes the connections of a node that may no longer be here.
    package func disconnect(_ node: NodeKey) {}

    /// Tells all clients when to come back and closes their connections.
    package func shutDown() async {}
}
