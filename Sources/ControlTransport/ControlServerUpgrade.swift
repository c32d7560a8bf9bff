package import CryptoPrimitives
package import NIOCore
package import NIOHTTP2
package import NetTypes
package import Noise

/// A client's opening message that was sealed for us.
package struct AcceptedInitiation: ~Copyable {
    let responder: ControlResponder

    /// Throws for anything but an authentic initiation; `replyText` of the error says whether the
    /// client is owed an error frame.
    package init(
        _ message: [UInt8], serverKey: PrivateKey<MachineKind>
    ) throws(ControlHandshakeError) {
        var random = SecureRandom()
        responder = try unsafe ControlResponder(
            initiation: message.span.bytes, serverKey: serverKey, random: &random)
    }

    /// The capability version the client speaks.
    package var version: UInt16 { responder.version }
    package var machineKey: MachineKey { responder.machineKey }
}

extension ChannelPipeline.SynchronousOperations {
    /// Puts Noise and HTTP/2 at the tail of a channel whose 101 was written. What HTTP handlers
    /// are still in front of it the caller removes next.
    package func addControlServer(
        _ initiation: consuming AcceptedInitiation,
        streamInitializer: @escaping NIOChannelInitializer
    ) throws {
        let sendsPayload = initiation.version >= EarlyPayload.firstVersion
        let payload =
            sendsPayload
            ? EarlyPayload.encode(challenge: PrivateKey<ChallengeKind>().publicKey) : []
        let handler = NoiseHandler(
            responder: initiation.takeResponder(), earlyPayload: payload,
            opened: { context in
                let http2 = NIOHTTP2Handler(
                    mode: .server, eventLoop: context.eventLoop,
                    connectionConfiguration: ControlHTTP2.server.connection,
                    streamConfiguration: ControlHTTP2.server.stream,
                    inboundStreamInitializer: streamInitializer)
                try context.pipeline.syncOperations.addHandler(http2)
            },
            failed: { _ in })
        try addHandler(handler)
    }
}

extension AcceptedInitiation {
    consuming func takeResponder() -> ControlResponder { responder }
}
