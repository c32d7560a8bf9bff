import NIOCore
import NetTypes

/// A request that came through a control channel.
struct MachineRequest: Sendable {
    var method: String
    /// Without the query.
    var path: String
    var body: [UInt8]
    var connection: MachineConnection
}

/// Whom a control channel belongs to.
struct MachineConnection: Sendable {
    /// Proven by the handshake.
    var machineKey: MachineKey
    var capabilityVersion: Int
    var remoteAddress: IPAddress?
}
