internal import CryptoPrimitives
internal import DERP
internal import DERPClient
internal import Logging
internal import NIOCore
internal import NetTypes
internal import RelayCore

/// The connection to another relay of the region, dialled again for as long as this relay runs:
/// it brings who is connected there, and takes packets for them. Confined to its event loop.
final class MeshLink: RelayEndpoint {
    private enum Phase {
        case waiting
        case dialing
        /// Until the login is done there is no ID.
        case open(any Channel, ConnectionID?, RelayOutput?)
        /// Shut down, or the other relay turned out to be this one.
        case stopped
    }

    private static let pauseMin = TimeAmount.milliseconds(250)
    private static let pauseMax = TimeAmount.seconds(10)
    /// A ping goes out so often, and a link that brings nothing for the longer time is dead.
    private static let pingInterval = TimeAmount.seconds(3)
    private static let silenceMax = Nanoseconds.seconds(8)

    private let server: RelayServer
    private let key: MeshKey
    private let node: RelayMap.Node
    private let eventLoop: any EventLoop
    private let dialer: RelayDialer
    private var phase = Phase.waiting
    private var pause = MeshLink.pauseMin
    private var timer: Scheduled<Void>?
    private var pinging: RepeatedTask?
    private var heardAt = RelayServer.now()
    /// Tells the connection of now from one that was given up.
    private var dialNumber = 0

    init(
        _ server: RelayServer, _ key: MeshKey, to node: RelayMap.Node, trustFile: String?,
        on eventLoop: any EventLoop
    ) {
        self.server = server
        self.key = key
        self.node = node
        self.eventLoop = eventLoop
        dialer = RelayDialer(eventLoop: eventLoop, trustFile: trustFile)
    }

    private var name: String { "\(node.hostName):\(node.port)" }

    // MARK: Dialling

    func start() {
        guard case .waiting = phase else { return }
        phase = .dialing
        dialNumber += 1
        let number = dialNumber
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        timer = eventLoop.scheduleTask(in: .seconds(10)) {
            bound.value.end("not reached in time", number)
        }
        dialer.connect(to: node).hop(to: eventLoop).whenComplete { result in
            bound.value.take(result, number)
        }
    }

    private func take(_ result: Result<any Channel, any Error>, _ number: Int) {
        guard number == dialNumber, case .dialing = phase else {
            if case .success(let channel) = result { channel.close(promise: nil) }
            return
        }
        do {
            let channel = try result.get()
            phase = .open(channel, nil, nil)
            let pipeline = channel.pipeline.syncOperations
            if let security = try dialer.securityHandler(for: node) {
                try pipeline.addHandler(security)
            }
            let handler = RelayClientHandler(
                region: 0, nodeKey: PrivateKey(server.privateKey.secret),
                request: UpgradeRequest(host: node.hostName),
                info: ClientInfo(meshKey: key.loginText)
            ) { [weak self] signal in self?.handle(signal, number) }
            try pipeline.addHandler(handler)
            try channel.syncOptions?.setOption(.autoRead, value: true)
            channel.read()
        } catch {
            end("\(error)", number)
        }
    }

    // MARK: What the connection says

    private func handle(_ signal: RelayClientHandler.Signal, _ number: Int) {
        guard number == dialNumber, case .open(let channel, let id, let output) = phase else {
            return
        }
        heardAt = RelayServer.now()
        switch signal {
        case .loggedIn(let relay): logIn(channel, relay, number)
        case .message(.peerPresent(let presence)):
            if let id { server.notePresent(presence.peer, at: id) }
        case .message(.peerGone(let peer, _)):
            if let id { server.noteAbsent(peer, at: id) }
        case .message(.ping(let data)): write(.pong(data))
        case .message, .packets: break
        case .writable: output?.drain()
        case .ended(let reason, _): end(reason, number)
        }
    }

    private func logIn(_ channel: any Channel, _ relay: RelayKey, _ number: Int) {
        timer?.cancel()
        guard relay != server.publicKey else {
            server.logger.info("relay mesh: \(name) is this relay itself")
            shutDown()
            return
        }
        guard let id = server.connect(NodeKey(relay.bytes), as: .link, self, on: eventLoop) else {
            end("too many connections", number)
            return
        }
        phase = .open(channel, id, RelayOutput(id, of: server, to: channel))
        pause = Self.pauseMin
        server.logger.info("relay mesh: connected to \(name)")
        write(.watchConnections)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        pinging = eventLoop.scheduleRepeatedTask(
            initialDelay: Self.pingInterval, delay: Self.pingInterval
        ) { _ in bound.value.ping(number) }
    }

    private func ping(_ number: Int) {
        if RelayServer.now() - heardAt > Self.silenceMax {
            end("silent for too long", number)
        } else {
            write(.ping(0))
        }
    }

    private func write(_ message: ClientMessage) {
        guard case .open(let channel, _, _) = phase else { return }
        channel.writeAndFlush(ByteBuffer(bytes: message.frame), promise: nil)
    }

    // MARK: RelayEndpoint

    func drain() { if case .open(_, _, let output?) = phase { output.drain() } }

    func finish() {
        drain()
        shutDown()
    }

    func close(_ reason: String) { end(reason, dialNumber) }

    /// Nothing of clients comes in by a link.
    func resume() {}

    // MARK: The end

    /// The connection is over, or never came to be; another is made after a pause.
    private func end(_ reason: String, _ number: Int) {
        guard number == dialNumber, leave() else { return }
        server.logger.notice("relay mesh: \(name): \(reason)")
        phase = .waiting
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        timer = eventLoop.scheduleTask(in: pause) { bound.value.start() }
        pause = min(pause * 2, Self.pauseMax)
    }

    func shutDown() {
        _ = leave()
        phase = .stopped
    }

    /// False when it has ended already.
    private func leave() -> Bool {
        timer?.cancel()
        pinging?.cancel()
        dialNumber += 1
        switch phase {
        case .waiting, .stopped: return false
        case .dialing: return true
        case .open(let channel, let id, _):
            phase = .waiting
            if let id { server.disconnect(id) }
            channel.close(promise: nil)
            return true
        }
    }
}
