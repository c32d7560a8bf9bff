import ControlClient
import ControlMessages
import Coordination
import CryptoPrimitives
import DERP
import Logging
import NIOCore
import NIOPosix
import NetTypes
import SignIn
import Synchronization

@testable import ControlServer

/// A store in memory that can be told to wait and to fail.
final class MemoryStore: Sendable {
    struct Refused: Error {}
    private let state = Mutex((stored: CoordinationState(), fails: false, commits: 0))
    private let entries = Mutex<[AuditEntry]>([])
    private enum Gate { case open, closed, awaited(CheckedContinuation<Void, Never>) }
    private let gate = Mutex(Gate.open)

    var storage: Storage {
        Storage(
            commit: { changes in
                await self.passGate()
                try self.state.withLock { state in
                    if state.fails { throw Refused() }
                    state.commits += 1
                    for change in changes { state.stored.apply(change) }
                }
                for case .audit(let entry) in changes {
                    self.entries.withLock { $0.append(entry) }
                }
            },
            load: { self.state.withLock { $0.stored } },
            audit: { _, _ in self.audit.enumerated().map { (Int64($0.offset), $0.element) } })
    }
    var audit: [AuditEntry] { entries.withLock { $0 } }
    var commits: Int { state.withLock { $0.commits } }
    /// Lets the next commit wait for `resume`.
    func hold() { gate.withLock { $0 = .closed } }
    func resume() {
        let waiter = gate.withLock { gate -> CheckedContinuation<Void, Never>? in
            defer { gate = .open }
            guard case .awaited(let waiter) = gate else { return nil }
            return waiter
        }
        waiter?.resume()
    }
    private func passGate() async {
        await withCheckedContinuation { waiter in
            let isOpen = gate.withLock { gate in
                if case .open = gate { return true }
                gate = .awaited(waiter)
                return false
            }
            if isOpen { waiter.resume() }
        }
    }
    func fail(_ fails: Bool) { state.withLock { $0.fails = fails } }
}

/// A server on a port of the loopback interface, with everything in memory.
struct TestServer: Sendable {
    let server: ControlServer
    let store: MemoryStore
    let serverKey: PrivateKey<MachineKind>
    /// Nil: no relay.
    let relayKey: RelayKey?
    let running: Task<Void, Never>

    static func settings(
        port: Int = 0, serverKey: PrivateKey<MachineKind>
    ) -> ControlServer.Settings {
        let node = DERPNode(name: "1a", regionID: 1, hostName: "127.0.0.1")
        let region = DERPRegion(id: 1, code: "test", name: "Test", nodes: [node])
        var coordination = CoordinationSettings(
            serverURL: "http://127.0.0.1", baseDomain: "mesh.test",
            derpMap: DERPMap(regions: [1: region]))
        coordination.offlineGrace = .milliseconds(50)
        var settings = ControlServer.Settings(
            host: "127.0.0.1", port: port, coordination: coordination, serverKey: serverKey)
        settings.relay = RelaySettings(key: PrivateKey<RelayKind>())
        var signIn = SignInSettings()
        signIn.passwordCost = .least
        settings.accounts = Accounts(settings: signIn, secrets: AccountSecrets(SecretBytes()))
        return settings
    }

    init(
        store: MemoryStore = MemoryStore(), serverKey: PrivateKey<MachineKind> = PrivateKey(),
        port: Int = 0, timing: MachineService.Timing = .init(),
        limits: HalfOpenConnections.Limits = .init(),
        timeouts: FrontHandler.Timeouts = .init(),
        adjust: (inout ControlServer.Settings) -> Void = { _ in }
    ) async throws {
        var settings = Self.settings(port: port, serverKey: serverKey)
        adjust(&settings)
        let server = try await ControlServer(
            settings, storage: store.storage, group: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
            timing: timing, limits: limits, timeouts: timeouts)
        self.server = server
        self.store = store
        self.serverKey = serverKey
        relayKey = settings.relay?.key.publicKey
        running = Task { await server.owner.run() }
    }

    func stop() async {
        running.cancel()
        await server.shutDown()
        await running.value
    }

    /// A new pre-auth key of user `name`, who is made when needed.
    func authKey(
        user name: String = "ada", _ options: Coordinator.PreAuthKeyOptions = .init()
    ) async throws -> String {
        try await server.owner.perform { coordinator, now, _ in
            if coordinator.state.user(name: name) != nil { return Decision(()) }
            let decision = try coordinator.createUser(name: name, at: now.wall)
            return Decision((), changes: decision.changes)
        }
        return try await server.owner.perform { coordinator, now, random in
            let decision = try coordinator.createPreAuthKey(
                user: name, options, at: now.wall, random: &random)
            return Decision(decision.reply.text, changes: decision.changes)
        }
    }
}

/// A node's keys and its line to the server.
struct TestNode: Sendable {
    let machineKey = PrivateKey<MachineKind>()
    let nodeKey = PrivateKey<NodeKind>()
    let discoKey = PrivateKey<DiscoKind>()
    let name: String
    let client: ControlClient

    init(
        _ name: String, port: Int, scheme: String = "http", host: String = "127.0.0.1",
        trust: Trust = .system, version: UInt16 = 113,
        adjust: (inout ControlClient.Configuration) -> Void = { _ in }
    ) throws {
        self.name = name
        var configuration = ControlClient.Configuration(
            serverURL: try ServerURL("\(scheme)://\(host):\(port)"), machineKey: machineKey,
            capabilityVersion: version, trust: trust)
        adjust(&configuration)
        client = try ControlClient(
            configuration, group: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    var hostinfo: Hostinfo {
        var hostinfo = Hostinfo()
        hostinfo.hostname = name
        hostinfo.operatingSystem = "linux"
        return hostinfo
    }

    func registration(authKey: String? = nil, followup: String = "") -> RegisterRequest {
        RegisterRequest(
            nodeKey: nodeKey.publicKey, authKey: authKey, followup: followup, hostinfo: hostinfo)
    }

    func poll(compressed: Bool = true) -> MapRequest {
        MapRequest(
            version: 113, compression: compressed ? "zstd" : "", wantsKeepAlive: true,
            nodeKey: nodeKey.publicKey, discoKey: discoKey.publicKey, isStreaming: true,
            hostinfo: hostinfo)
    }

    func update(endpoints: [Endpoint]) -> MapRequest {
        MapRequest(
            version: 113, nodeKey: nodeKey.publicKey, discoKey: discoKey.publicKey,
            hostinfo: hostinfo, endpoints: endpoints, omitsPeers: true)
    }

    /// Follows the map in a task, handing every response to the inbox.
    func follow(compressed: Bool = true) -> MapFollower {
        let (responses, continuation) = AsyncStream<MapResponse>.makeStream(
            bufferingPolicy: .bufferingNewest(1000))
        let task = Task { [client] () -> (any Error)? in
            defer { continuation.finish() }
            do {
                try await client.streamMap(poll(compressed: compressed)) {
                    continuation.yield($0)
                }
                return nil
            } catch {
                return error
            }
        }
        return MapFollower(task: task, iterator: responses.makeAsyncIterator())
    }
}

struct MapFollower {
    let task: Task<(any Error)?, Never>
    var iterator: AsyncStream<MapResponse>.AsyncIterator

    /// The next response that `condition` accepts; nil when the stream ends first.
    mutating func next(where condition: (MapResponse) -> Bool = { _ in true }) async -> MapResponse?
    {
        while let response = await iterator.next(isolation: #isolation) {
            if condition(response) { return response }
        }
        return nil
    }

    /// Leaves, and returns why the stream ended.
    func stop() async -> (any Error)? {
        task.cancel()
        return await task.value
    }
}
