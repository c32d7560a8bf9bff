internal import NIOCore
internal import Noise

/// The record layer of a control channel: plaintext towards the tail of the pipeline, records
/// towards the socket.
///
/// Writes are gathered until a flush and leave as full records in one buffer. A client's handler
/// first waits for the server's response; a server's is open from the start and begins by sending
/// that response and the early payload.
final class NoiseHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = ByteBuffer

    /// Called on the event loop when the handshake is done, before any plaintext is passed on, so
    /// that the next protocol can be put behind this handler in time.
    typealias Opened = (ChannelHandlerContext) throws -> Void

    private var initiator: ControlInitiator?
    private var session: ControlSession?
    private var opening: [UInt8]
    private var opened: Opened?
    private let failed: (ControlTransportError) -> Void

    private var splitter = ControlFrameSplitter()
    private var earlyPayload: EarlyPayload.Remover?
    private var isDead = false

    private var plaintext = ByteBuffer()
    private var promise: EventLoopPromise<Void>?

    /// A client's, after the 101: waits for the response to its initiation.
    init(
        initiator: consuming ControlInitiator, opened: @escaping Opened,
        failed: @escaping (ControlTransportError) -> Void
    ) {
        self.initiator = consume initiator
        opening = []
        earlyPayload = EarlyPayload.Remover()
        self.opened = opened
        self.failed = failed
    }

    /// A server's, which has read the initiation already.
    init(
        responder: consuming ControlResponder, earlyPayload: [UInt8], opened: @escaping Opened,
        failed: @escaping (ControlTransportError) -> Void
    ) {
        opening = responder.response
        plaintext = ByteBuffer(bytes: earlyPayload)
        session = responder.session()
        self.opened = opened
        self.failed = failed
    }

    func handlerAdded(context: ChannelHandlerContext) {
        guard session != nil else { return }
        context.write(wrapOutboundOut(ByteBuffer(bytes: opening)), promise: nil)
        opening = []
        flush(context: context)
        finishOpening(context)
    }

    private func finishOpening(_ context: ChannelHandlerContext) {
        guard let opened else { return }
        self.opened = nil
        do {
            try opened(context)
        } catch {
            isDead = true
            context.fireErrorCaught(error)
            context.close(promise: nil)
        }
    }

    // MARK: Inbound

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isDead else { return }
        let input = unwrapInboundIn(data)
        var text = ByteBuffer()
        do throws(ControlTransportError) {
            try read(input, context, appendingTo: &text)
        } catch {
            forward(&text, context)
            fail(error, context)
            return
        }
        forward(&text, context)
    }

    private func read(
        _ input: ByteBuffer, _ context: ChannelHandlerContext, appendingTo text: inout ByteBuffer
    ) throws(ControlTransportError) {
        var offset = 0
        while !isDead, let frame = try nextFrame(input, from: &offset) {
            if session == nil {
                try finishHandshake(frame)
                finishOpening(context)
                continue
            }
            do throws(ControlSession.RecordError) {
                if let bytes = try session?.open(frame) { text.writeBytes(bytes) }
            } catch {
                throw .record(error)
            }
        }
    }

    private func nextFrame(
        _ input: ByteBuffer, from offset: inout Int
    ) throws(ControlTransportError) -> ControlFrame? {
        do throws(ControlFrameSplitter.StreamError) {
            return try splitter.next(input.readableBytesSpan, from: &offset)
        } catch {
            throw .framing(error)
        }
    }

    private func finishHandshake(_ frame: ControlFrame) throws(ControlTransportError) {
        guard let initiator = initiator.take() else {
            preconditionFailure("a handler without a session is a client's in its handshake")
        }
        do throws(ControlHandshakeError) {
            session = try initiator.finish(frame)
        } catch {
            throw .handshake(error)
        }
    }

    private func forward(_ text: inout ByteBuffer, _ context: ChannelHandlerContext) {
        guard !isDead, text.readableBytes > 0 else { return }
        do throws(ControlTransportError) {
            if let rest = try earlyPayload?.remove(from: text) { text = rest }
        } catch {
            fail(error, context)
            return
        }
        if text.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(text)) }
    }

    private func fail(_ error: ControlTransportError, _ context: ChannelHandlerContext) {
        isDead = true
        failed(error)
        context.fireErrorCaught(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if session == nil, !isDead {
            isDead = true
            failed(.closedDuringHandshake)
        }
        context.fireChannelInactive()
    }

    // MARK: Outbound

    func write(
        context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?
    ) {
        guard case .byteBuffer(var buffer) = unwrapOutboundIn(data) else {
            promise?.fail(ChannelError.operationUnsupported)
            return
        }
        plaintext.writeBuffer(&buffer)
        guard let promise else { return }
        if let first = self.promise {
            first.futureResult.cascade(to: promise)
        } else {
            self.promise = promise
        }
    }

    func flush(context: ChannelHandlerContext) {
        defer { context.flush() }
        guard plaintext.readableBytes > 0 else { return }
        let promise = self.promise
        self.promise = nil
        var records: [UInt8] = []
        do throws(ControlSession.RecordError) {
            try session?.seal(plaintext.readableBytesSpan, appendingTo: &records)
        } catch {
            promise?.fail(ControlTransportError.record(error))
            fail(.record(error), context)
            return
        }
        plaintext.clear(minimumCapacity: 0)
        context.write(wrapOutboundOut(ByteBuffer(bytes: records)), promise: promise)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        promise?.fail(ChannelError.ioOnClosedChannel)
        promise = nil
    }
}
