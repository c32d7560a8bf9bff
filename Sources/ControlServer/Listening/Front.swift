import ControlTransport
import Logging
import NIOCore
import NIOHTTP1
import NetTypes

/// What the handlers of all connections share.
struct Front: Sendable {
    /// Answers a plain request; never fails, because an error has an answer too.
    typealias Respond =
        @Sendable (HTTPRequestHead, ByteBuffer, IPAddress?, any Channel) async -> PlainResponse

    var halfOpen: HalfOpenConnections
    var clientAddress: ClientAddress
    var timeouts = FrontHandler.Timeouts()
    var respond: Respond
    /// Reads a client's initiation.
    var openControl: @Sendable ([UInt8]) throws(ControlOpeningError) -> ControlOpening
    /// Puts the control channel into a connection.
    var startControl: @Sendable (ControlOpening, IPAddress?, any Channel) throws -> Void
    var relay: RelayUpgrade?
    var logger: Logger
}

extension Front {
    /// Puts control channels into connections; `respond` answers the requests that come through them.
    static func controlStarter(
        respond: @escaping MachineStreamHandler.Respond
    ) -> @Sendable (ControlOpening, IPAddress?, any Channel) throws -> Void {
        { opening, address, channel in
            let connection = MachineConnection(
                machineKey: opening.machineKey, capabilityVersion: Int(opening.version),
                remoteAddress: address)
            try channel.pipeline.syncOperations.addControlServer(opening) { stream in
                stream.eventLoop.makeCompletedFuture {
                    try stream.pipeline.syncOperations.addHandler(
                        MachineStreamHandler(connection: connection, respond: respond))
                }
            }
        }
    }
}

/// The answer to a plain request, whole.
struct PlainResponse: Sendable {
    var status: HTTPResponseStatus
    var headers: HTTPHeaders
    var body: ByteBuffer
}

/// How a connection is given to the relay.
struct RelayUpgrade: Sendable {
    var upgradeHeaders: [(String, String)]
    var adopt: @Sendable (any Channel, IPAddress?) throws -> Void
}
