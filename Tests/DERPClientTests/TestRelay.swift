import CryptoPrimitives
import DERP
import DERPClient
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NetTypes
import RelayCore
import RelayServer
import Synchronization

/// A relay of its own on loopback: just enough HTTP in front of `RelayServer`.
final class TestRelay: Sendable {
    let server: RelayServer
    let port: Int
    /// Requests that wanted no answer.
    let fastStarts: Counter
    /// Requests for a WebSocket.
    let webSockets: Counter
    private let listener: any Channel

    static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// Room for everything a test sends, however slow the machine.
    static var roomy: RelayServer.Configuration {
        var configuration = RelayServer.Configuration()
        configuration.relay.dataQueueBytesMax = 16 << 20
        configuration.relay.queueAgeMax = .seconds(60)
        return configuration
    }

    init(
        group: any EventLoopGroup, key: PrivateKey<RelayKind> = PrivateKey(), port: Int = 0,
        tls: NIOSSLContext? = nil, startsFast: Bool = true, onlyWebSockets: Bool = false,
        configuration: RelayServer.Configuration = TestRelay.roomy,
        admit: @escaping RelayServer.Admission = { _, _ in true }
    ) async throws {
        let server = RelayServer(
            privateKey: key, group: group, logger: Self.quiet, configuration: configuration,
            admit: admit)
        self.server = server
        let counter = Counter()
        fastStarts = counter
        let webSockets = Counter()
        self.webSockets = webSockets
        listener = try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLServerHandler(context: tls))
                    }
                    try channel.pipeline.syncOperations.addHandler(
                        onlyWebSockets
                            ? WebSocketUpgrader(server, webSockets)
                            : Upgrader(server, counter, startsFast))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        self.port = listener.localAddress!.port!
    }

    /// As a map with one region of this relay.
    func map(
        region: Int = 900, _ change: (inout RelayMap.Node) -> Void = { _ in }
    ) -> RelayMap {
        var node = RelayMap.Node(
            name: "test", hostName: "relay.test", ipv4: .loopback, port: UInt16(port),
            isPlainHTTP: true)
        change(&node)
        return RelayMap(regions: [region: .init(id: region, code: "test", nodes: [node])])
    }

    func stop() async throws {
        try await listener.close()
        server.shutDown()
    }

    private final class Upgrader: ChannelInboundHandler, RemovableChannelHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let server: RelayServer
        private var request = ByteBuffer()

        private let fastStarts: Counter
        private let startsFast: Bool

        init(_ server: RelayServer, _ fastStarts: Counter, _ startsFast: Bool) {
            self.server = server
            self.fastStarts = fastStarts
            self.startsFast = startsFast
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            request.writeImmutableBuffer(unwrapInboundIn(data))
            let text = String(buffer: request)
            guard let end = text.range(of: "\r\n\r\n") else { return }
            let head = text[..<end].utf8.count
            precondition(text.hasPrefix("GET /derp HTTP/1.1\r\n"))
            request.moveReaderIndex(forwardBy: head + 4)
            let wantsFast = text.contains("Derp-Fast-Start: 1")
            if wantsFast { fastStarts.count.withLock { $0 += 1 } }
            if !wantsFast || !startsFast {
                var answer = "HTTP/1.1 101 Switching Protocols\r\n"
                for (name, value) in server.upgradeHeaders { answer += "\(name): \(value)\r\n" }
                context.writeAndFlush(
                    wrapOutboundOut(ByteBuffer(string: answer + "\r\n")), promise: nil)
            }
            let server = self.server
            let leftover = request
            let channel = context.channel
            context.pipeline.syncOperations.removeHandler(self).whenSuccess {
                do {
                    try server.adopt(
                        channel: channel,
                        remoteAddress: channel.remoteAddress?.ipAddress.flatMap { IPAddress($0) },
                        leftover: leftover)
                } catch {
                    // It is being shut down.
                    channel.close(promise: nil)
                }
            }
        }
    }
}

/// What a proxy that knows of no upgrade but WebSockets lets through.
private final class WebSocketUpgrader: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    private let server: RelayServer
    private let counter: Counter

    init(_ server: RelayServer, _ counter: Counter) {
        self.server = server
        self.counter = counter
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // The request is short: it arrives in one piece.
        let lines = String(buffer: unwrapInboundIn(data)).split(separator: "\r\n").dropFirst()
        var headers = HTTPHeaders()
        for line in lines {
            let parts = line.split(separator: ": ", maxSplits: 1)
            headers.add(name: String(parts[0]), value: String(parts[1]))
        }
        guard headers.first(name: "Upgrade") == "websocket", WebSocketStream.isOffered(headers)
        else {
            let refusal = ByteBuffer(string: "HTTP/1.1 403 Forbidden\r\n\r\n")
            context.writeAndFlush(wrapOutboundOut(refusal), promise: nil)
            return context.close(promise: nil)
        }
        counter.count.withLock { $0 += 1 }
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/derp", headers: headers)
        let channel = context.channel
        let server = self.server
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        WebSocketStream.answer(head, channel).whenSuccess { answer in
            let context = bound.value
            var text = "HTTP/1.1 101 Switching Protocols\r\n"
            for (name, value) in answer { text += "\(name): \(value)\r\n" }
            channel.writeAndFlush(ByteBuffer(string: text + "\r\n"), promise: nil)
            context.pipeline.syncOperations.removeHandler(context: context).whenSuccess {
                do {
                    try WebSocketStream.add(.server, to: channel.pipeline.syncOperations)
                    try server.adopt(channel: channel, remoteAddress: nil)
                } catch {
                    // It is being shut down.
                    channel.close(promise: nil)
                }
            }
        }
    }
}

final class Counter: Sendable {
    let count = Mutex(0)
}

extension String {
    /// Where a text begins.
    fileprivate func range(of text: String) -> String.Index? {
        indices.first { self[$0...].hasPrefix(text) }
    }
}

/// What a pool reported, to be awaited.
final class Recorder: Sendable {
    private struct State {
        var events: [RelayEvent] = []
        var packets: [(source: NodeKey, bytes: [UInt8])] = []
        var batchCount = 0
    }
    private let state = Mutex(State())

    var events: [RelayEvent] { state.withLock { $0.events } }
    var packets: [(source: NodeKey, bytes: [UInt8])] { state.withLock { $0.packets } }
    var packetCount: Int { state.withLock { $0.packets.count } }

    func note(_ event: RelayEvent) { state.withLock { $0.events.append(event) } }
    func note(_ batch: RelayPacketBatch) {
        state.withLock { state in
            state.batchCount += 1
            for packet in batch.packets {
                state.packets.append((packet.source, Array(batch.bytes[packet.range])))
            }
        }
    }
    var connectedCount: Int {
        events.count { if case .connected = $0 { true } else { false } }
    }
    var disconnectReasons: [String] {
        events.compactMap { if case .disconnected(_, let reason) = $0 { reason } else { nil } }
    }
}

struct ConditionTimeout: Error, CustomStringConvertible {
    var description: String
}

/// Waits until the condition holds, looking again every few milliseconds.
func eventually(
    _ what: String, within limit: Duration = .seconds(10), _ condition: @Sendable () -> Bool
) async throws {
    let end = ContinuousClock.now + limit
    while !condition() {
        guard ContinuousClock.now < end else { throw ConditionTimeout(description: what) }
        // Between two looks at the condition.
        try await Task.sleep(for: .milliseconds(2))
    }
}

/// A node on a relay.
struct TestNode {
    let key = PrivateKey<NodeKind>()
    let recorder = Recorder()
    let pool: RelayPool

    init(
        group: any EventLoopGroup, map: RelayMap, home: Int? = 900,
        configuration: RelayPoolConfiguration = RelayPoolConfiguration()
    ) {
        let recorder = self.recorder
        pool = RelayPool(
            nodeKey: key, group: group, logger: TestRelay.quiet, configuration: configuration,
            onPackets: { recorder.note($0) }, onEvent: { recorder.note($0) })
        pool.update(map: map)
        pool.setHome(region: home)
    }
}
