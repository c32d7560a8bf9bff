import ControlTransport
import NIOCore
import NIOHPACK
import NIOHTTP2

/// The reply to a `MachineRequest`: its stream.
///
/// Every write is awaited until the bytes were handed to the kernel, so at most one message per
/// stream is held in memory; a client that takes none for too long is dropped.
struct MachineReply: Sendable {
    let channel: any Channel
    /// How long one write may take.
    var writeLimit = TimeAmount.seconds(60)

    var isOpen: Bool { channel.isActive }

    /// Closes the connection when the node's HTTP/2 does not answer.
    func askForLife(within limit: TimeAmount) {
        channel.parent?.pipeline.fireUserInboundEventTriggered(
            ConnectionWatch.Probe(answerWithin: limit))
    }

    /// A whole reply.
    func respond(
        _ status: Int, _ body: [UInt8] = [], contentType: String = "application/json"
    ) async throws {
        let headers = HPACKHeaders([
            (":status", String(status)), ("content-type", contentType),
            ("content-length", String(body.count)),
        ])
        channel.write(
            HTTP2Frame.FramePayload.headers(.init(headers: headers, endStream: body.isEmpty)),
            promise: nil)
        if !body.isEmpty {
            channel.write(
                HTTP2Frame.FramePayload.data(
                    .init(data: .byteBuffer(ByteBuffer(bytes: body)), endStream: true)),
                promise: nil)
        }
        channel.flush()
        try await limited(channel.closeFuture)
    }

    /// A refusal with a text for people, of which clients show 200 characters.
    func refuse(_ status: Int, _ text: String) async throws {
        try await respond(status, Array(text.utf8), contentType: "text/plain; charset=utf-8")
    }

    /// The head of a reply whose body comes piece by piece.
    func begin() async throws {
        let headers = HPACKHeaders([(":status", "200"), ("content-type", "application/json")])
        try await limited(
            channel.writeAndFlush(HTTP2Frame.FramePayload.headers(.init(headers: headers))))
    }

    func send(_ bytes: [UInt8]) async throws {
        try await limited(
            channel.writeAndFlush(
                HTTP2Frame.FramePayload.data(.init(data: .byteBuffer(ByteBuffer(bytes: bytes))))))
    }

    func finish() async throws {
        try await limited(
            channel.writeAndFlush(
                HTTP2Frame.FramePayload.data(
                    .init(data: .byteBuffer(ByteBuffer()), endStream: true))))
    }

    /// Waits for a write; when it takes too long the whole connection is closed, which fails it.
    private func limited(_ write: EventLoopFuture<Void>) async throws {
        let connection = channel.parent ?? channel
        let timer = channel.eventLoop.scheduleTask(in: writeLimit) {
            connection.close(promise: nil)
        }
        defer { timer.cancel() }
        try await write.get()
    }
}
