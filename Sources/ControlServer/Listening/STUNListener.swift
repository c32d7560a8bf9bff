import Logging
import NIOCore
import NIOPosix
import NetTypes
import STUN
import ServiceLifecycle

/// Answers STUN on a UDP port, so that nodes learn how they look from outside.
struct STUNListener: Service {
    private let channel: any Channel

    init(_ endpoint: Endpoint, group: any EventLoopGroup) async throws(ControlServerError) {
        let host = "\(endpoint.address)"
        do {
            channel = try await DatagramBootstrap(group: group)
                .channelOption(.socketOption(.so_reuseaddr), value: 1)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(STUNHandler())
                    }
                }
                .bind(host: host, port: Int(endpoint.port))
                .get()
        } catch {
            throw ControlServerError(listening: host, Int(endpoint.port), error)
        }
    }

    var port: Int { channel.localAddress?.port ?? 0 }

    func run() async throws {
        await withGracefulShutdownHandler {
            // How the socket closes does not matter.
            _ = try? await channel.closeFuture.get()
        } onGracefulShutdown: {
            channel.close(promise: nil)
        }
    }

    func close() { channel.close(promise: nil) }
}

private final class STUNHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let datagram = unwrapInboundIn(data)
        guard let address = datagram.remoteAddress.netAddress,
            let port = datagram.remoteAddress.port.flatMap({ UInt16(exactly: $0) })
        else { return }
        let answer = STUNServerLogic.response(
            to: datagram.data.readableBytesSpan, from: Endpoint(address, port: port))
        guard let answer else { return }
        context.write(
            wrapOutboundOut(
                AddressedEnvelope(
                    remoteAddress: datagram.remoteAddress, data: ByteBuffer(bytes: answer))),
            promise: nil)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.flush()
        context.fireChannelReadComplete()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // One datagram that could not be sent or received says nothing about the next.
    }
}
