package import CryptoPrimitives
package import NIOCore
internal import NIOHTTP2
package import NetTypes
internal import Noise

/// A client's opening message that cannot be accepted.
package struct ControlOpeningError: Error, CustomStringConvertible {
    /// What the client is sent before the connection is closed; nil when nothing is owed to it.
    package let reply: [UInt8]?
    package let description: String

    /// For a listener that opens no control channels.
    package static let notHere = Self(reply: nil, description: "no control channels here")

    private init(reply: [UInt8]?, description: String) {
        self.reply = reply
        self.description = description
    }

    fileprivate init(_ error: ControlHandshakeError) {
        reply = error.replyText.map { ControlFrame.error($0).encoded }
        description = "\(error)"
    }
}

/// A client's opening message that was sealed for us. Good for one connection.
package final class ControlOpening {
    /// The capability version the client speaks.
    package let version: UInt16
    package let machineKey: MachineKey
    /// Clients that come by WebSocket expect none.
    package var wantsEarlyPayload = true
    private var responder: ControlResponder?

    package init(
        _ message: [UInt8], serverKey: PrivateKey<MachineKind>
    ) throws(ControlOpeningError) {
        var random = SecureRandom()
        do throws(ControlHandshakeError) {
            let accepted = try unsafe ControlResponder(
                initiation: message.span.bytes, serverKey: serverKey, random: &random)
            version = accepted.version
            machineKey = accepted.machineKey
            responder = consume accepted
        } catch {
            throw ControlOpeningError(error)
        }
    }

    func takeResponder() -> ControlResponder {
        guard let taken = responder.take() else {
            preconditionFailure("an opening is used once")
        }
        return taken
    }
}

extension ChannelPipeline.SynchronousOperations {
    /// Puts Noise and HTTP/2 at the tail of a channel whose 101 was written and which HTTP has left.
    package func addControlServer(
        _ opening: ControlOpening,
        streamInitializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) throws {
        let sendsPayload =
            opening.wantsEarlyPayload && opening.version >= EarlyPayload.firstVersion
        let payload =
            sendsPayload
            ? EarlyPayload.encode(challenge: PrivateKey<ChallengeKind>().publicKey) : []
        try addHandler(
            NoiseHandler(
                responder: opening.takeResponder(), earlyPayload: payload,
                opened: { context in
                    try context.pipeline.syncOperations.addServerHTTP2(streamInitializer)
                },
                failed: { _ in }))
    }

    private func addServerHTTP2(
        _ streamInitializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) throws {
        let manager = NIOHTTP2ServerConnectionManagementHandler(
            eventLoop: eventLoop, configuration: ControlHTTP2.management)
        let http2 = NIOHTTP2Handler(
            mode: .server, eventLoop: eventLoop,
            connectionConfiguration: ControlHTTP2.server.connection,
            streamConfiguration: ControlHTTP2.server.stream,
            streamDelegate: manager.http2StreamDelegate,
            inboundStreamInitializer: streamInitializer)
        try addHandler(http2)
        try addHandler(manager)
        try addHandler(
            ConnectionWatch(
                pingAfter: ControlHTTP2.pingAfter, answerWithin: ControlHTTP2.pingAnswer))
        // The channel was active before it came in, and it starts its timers when that happens.
        manager.channelActive(context: try context(handler: manager))
    }
}
