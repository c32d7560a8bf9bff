import ControlClient
import CryptoPrimitives
import DERPClient
import DataPlane
import LinuxIO
import LocalAPI
package import Logging
import NIOPosix
import NetTypes
import NetworkMonitor
import PortMapper
import PortMapping
import ServiceLifecycle
import TunDevice
import UDPSocket
import UnixSignals

/// The node as a program: opens what it needs, starts its parts and stops them in order.
package enum NodeDaemon {
    package struct Configuration: Sendable {
        package var stateFolder: String
        package var socketPath: String
        /// The UDP port for peers. Nil: the usual one, or any when that is taken.
        package var port: UInt16?
        /// The name of the TUN interface; nil for none.
        package var interfaceName: String?
        /// A PEM file with certificates to trust besides the system's.
        package var trustFile: String?

        package init(
            stateFolder: String = "/var/lib/skein", socketPath: String = "/run/skein/skein.sock",
            port: UInt16? = nil, interfaceName: String? = "skein0", trustFile: String? = nil
        ) {
            self.stateFolder = stateFolder
            self.socketPath = socketPath
            self.port = port
            self.interfaceName = interfaceName
            self.trustFile = trustFile
        }
    }

    /// The port peers try first.
    package static var usualPort: UInt16 { 41641 }

    /// Runs until SIGTERM or SIGINT, then undoes what was done to the machine. Throws what keeps
    /// the daemon from starting, in one line for the person who started it.
    package static func run(_ configuration: Configuration, logger: Logger) async throws {
        let files = StateFiles(folder: configuration.stateFolder)
        let folder = try hold(configuration.stateFolder)
        let stored = try files.load()
        let group = MultiThreadedEventLoopGroup.singleton
        let sockets = try openSockets(configuration, hasTun: configuration.interfaceName != nil)
        var tun: TunDevice?
        if let name = configuration.interfaceName {
            do throws(TunDevice.OpenError) { tun = try TunDevice(name: name) } catch {
                throw StateError(description: "\(error)")
            }
        }
        let interfaceName = tun?.name
        let port = sockets.port
        let ports: (ipv4: UInt16?, ipv6: UInt16?) = (port, sockets.ipv6Port)
        let (events, eventSink) = AsyncStream.makeStream(
            of: Event.self, bufferingPolicy: .bufferingNewest(1024))
        let dataPlane = try DataPlane(
            DataPlane.Setup(
                discoKey: stored.discoKey, tun: tun.take(), ipv4: sockets.ipv4,
                ipv6: sockets.ipv6,
                socketMark: interfaceName != nil ? SocketMark.bypassingTunnel : 0,
                hardNATPeers: stored.hardNATPeers,
                lifetimes: stored.lifetimes(at: CivilTime.now())),
            logger: logger
        ) { eventSink.yield(.dataPlane($0)) }
        let portMapper = startPortMapper(
            stored.portMapping, hasTun: interfaceName != nil, logger: logger
        ) { eventSink.yield(.portMapping($0)) }
        let router = try interfaceName.map { try KernelRouter(interface: $0) }
        let node = LocalNode(
            parts: LocalNode.Parts(
                files: files, dataPlane: dataPlane, ports: ports, portMapper: portMapper,
                // One loop for the server and the relays: what they say at the same moment wakes one
                // thread.
                interfaceName: interfaceName, group: group.next(), logger: logger,
                trust: configuration.trustFile.map { .systemAndFile($0) } ?? .system,
                relayEvents: { eventSink.yield(.relay($0)) }),
            stored: stored, router: router)
        let server = try await LocalServer.bind(
            path: configuration.socketPath, node: node, version: SkeinVersion.text, group: group,
            logger: logger)
        let monitor = try NetworkMonitor(ignoring: interfaceName ?? "") {
            eventSink.yield(.link($0))
        }
        var parts: [ServiceGroupConfiguration.ServiceConfiguration] = [
            .init(service: NodeService(node: node, events: events)),
            .init(service: LocalService(server: server)),
        ]
        if let interfaceName {
            do {
                let uapi = try await UAPIServer(
                    interface: interfaceName, dataPlane: dataPlane, group: group, logger: logger)
                parts.append(.init(service: uapi))
            } catch {
                // The node does its work without it.
                logger.warning("wg cannot look at the tunnel: \(error)")
            }
        }
        let services = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: parts,
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        logger.info(
            "running",
            metadata: [
                "interface": "\(interfaceName ?? "none")", "port": "\(port)",
                "socket": "\(configuration.socketPath)",
            ])
        try await services.run()
        withExtendedLifetime((monitor, folder)) {}
    }

    /// Keeps two daemons from sharing a state folder: they would be one node in two places.
    static func hold(_ folder: String) throws(StateError) -> PrivateFolder {
        do throws(PrivateFolder.Failure) {
            return try PrivateFolder(path: folder)
        } catch {
            throw switch error {
            case .inUse:
                StateError(
                    description:
                        "another skein daemon is already running with the state folder \(folder)")
            case .system(let error):
                StateError(description: "cannot use the state folder \(folder): \(error)")
            }
        }
    }

    enum Event: Sendable {
        case dataPlane(DataPlaneEvent)
        case relay(RelayEvent)
        case link(NetworkMonitor.Event)
        case portMapping(PortMappingStatus)
    }

    /// Nil when it cannot be: the node does its work without it.
    private static func startPortMapper(
        _ memory: PortMappingMemory, hasTun: Bool, logger: Logger,
        onChange: @escaping @Sendable (PortMappingStatus) -> Void
    ) -> PortMapper? {
        do throws(SystemError) {
            return try PortMapper(
                memory: memory, mark: hasTun ? SocketMark.bypassingTunnel : 0, logger: logger,
                onChange: onChange)
        } catch {
            logger.warning("no ports are mapped: \(error)")
            return nil
        }
    }

    /// One socket for each family, on the same port where that is free.
    private struct Sockets: ~Copyable {
        var ipv4: UDPSocket?
        var ipv6: UDPSocket?
        var port: UInt16
        var ipv6Port: UInt16?
    }

    private static func openSockets(
        _ configuration: Configuration, hasTun: Bool
    ) throws -> Sockets {
        let mark = hasTun ? SocketMark.bypassingTunnel : 0
        let ipv4: UDPSocket
        do throws(UDPSocket.OpenError) {
            ipv4 = try UDPSocket(
                family: .v4, port: configuration.port ?? usualPort, mark: mark)
        } catch {
            guard configuration.port == nil, case .portInUse = error else {
                throw StateError(description: "\(error)")
            }
            ipv4 = try UDPSocket(family: .v4, port: 0, mark: mark)
        }
        let port = ipv4.port
        var ipv6: UDPSocket?
        do throws(UDPSocket.OpenError) {
            ipv6 = try UDPSocket(family: .v6, port: port, mark: mark)
        } catch .familyUnsupported {
            ipv6 = nil
        } catch .portInUse where configuration.port == nil {
            ipv6 = try UDPSocket(family: .v6, port: 0, mark: mark)
        } catch {
            throw StateError(description: "\(error)")
        }
        let ipv6Port = ipv6?.port
        return Sockets(ipv4: ipv4, ipv6: ipv6, port: port, ipv6Port: ipv6Port)
    }
}

/// Feeds the node with what its parts report, and ends it when the process is to stop.
private struct NodeService: Service, CustomStringConvertible {
    let node: LocalNode
    let events: AsyncStream<NodeDaemon.Event>

    var description: String { "node" }

    func run() async throws {
        await node.begin()
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await cancelWhenGracefulShutdown {
                    for await event in events {
                        switch event {
                        case .dataPlane(let event): await node.handle(event)
                        case .relay(let event): await node.handle(event)
                        case .link(let state): await node.handle(state)
                        case .portMapping(let status): await node.handle(status)
                        }
                    }
                }
            }
            group.addTask {
                await cancelWhenGracefulShutdown {
                    while !Task.isCancelled {
                        let pause = await node.tick()
                        // Cancellation is how this ends.
                        try? await Task.sleep(for: pause)
                    }
                }
            }
        }
        await node.end()
    }
}

private struct LocalService: Service, CustomStringConvertible {
    let server: LocalServer

    func run() async throws {
        do {
            try await cancelWhenGracefulShutdown { try await server.run() }
        } catch is CancellationError {
            // That is how a shutdown reaches it.
        }
    }

    var description: String { "local interface" }
}
