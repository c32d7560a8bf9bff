import ControlTransport
import CryptoPrimitives
import DERP
import Hummingbird
import LinuxIO
package import Logging
import NIOCore
import NIOPosix
import NIOSSL
import NetTypes
import RelayServer
import ServerStore
import ServiceLifecycle
import UnixSignals

/// A relay on a machine of its own: DERP and STUN, without a coordination server.
package final class StandaloneRelay: ServiceLifecycle.Service {
    /// A node that the coordination server has removed is found out within this time.
    private static let checkInterval = Duration.seconds(300)

    private let listener: Listener
    private let relay: EmbeddedRelay
    private let question: AdmissionQuestion?
    private let certificate: Certificate?
    private let logger: Logger

    init(
        _ configuration: ServerConfiguration, settings: RelaySettings, version: String,
        port: Int? = nil, group: any EventLoopGroup, logger: Logger
    ) async throws(ControlServerError) {
        self.logger = logger
        certificate = try configuration.tls.map { files throws(ControlServerError) in
            try Certificate(files, relayKey: settings.key.publicKey)
        }
        question = try configuration.relay.verifyClients.map { url throws(ControlServerError) in
            try AdmissionQuestion(
                url, isOpen: configuration.relay.verifiesOpenly,
                trustFile: configuration.relay.trustFile, group: group, logger: logger)
        }
        relay = EmbeddedRelay(settings, group: group, logger: logger) { [question] node, address in
            await question?.admits(node, address) ?? true
        }
        let pages = PageResponder(makeRelayPages(version: version), logger: logger)
        let front = Front(
            halfOpen: HalfOpenConnections(),
            clientAddress: ClientAddress(trustedProxies: configuration.trustedProxies),
            respond: { head, body, address, _ in
                await pages.respond(to: head, body, from: address)
            },
            openControl: { (_) throws(ControlOpeningError) in throw .notHere },
            startControl: { _, _, channel in channel.close(promise: nil) },
            relay: relay.upgrade, logger: logger)
        var tls: (@Sendable () -> NIOSSLContext)?
        if let certificate { tls = { certificate.context } }
        let host = "\(configuration.listen.address)"
        let port = port ?? Int(configuration.listen.port)
        do {
            listener = try await Listener(
                host: host, port: port, group: group, front: front, tls: tls)
        } catch {
            throw ControlServerError(listening: host, port, error)
        }
    }

    /// The port it listens on.
    package var port: Int { listener.address?.port ?? 0 }

    func reloadCertificate() throws(ControlServerError) { try certificate?.reload() }

    /// Serves until it is told to stop, then says farewell to its clients.
    package func run() async throws {
        await cancelWhenGracefulShutdown {
            // Cancelled: that is how it ends.
            while (try? await Task.sleep(for: Self.checkInterval)) != nil {
                await self.checkClients()
            }
        }
        await shutDown()
    }

    package func shutDown() async {
        relay.shutDown()
        await listener.close()
        await question?.shutDown()
    }

    /// Asks again about everyone who is connected: membership may have ended since the login.
    func checkClients() async {
        guard let question else { return }
        for node in relay.clients {
            guard !Task.isCancelled else { return }
            switch await question.ask(node, nil) {
            case .allowed: break
            case .denied:
                logger.info("relay: \(node.shortText) is of this network no more")
                relay.disconnect(node)
            // One that does not answer now is not asked about the others.
            case .none: return
            }
        }
    }
}

extension StandaloneRelay {
    /// Serves as configured until SIGTERM or SIGINT. SIGHUP reads the certificate again. Throws
    /// `ServerStoreError` or `ControlServerError` when it cannot start.
    package static func run(
        configuration: ServerConfiguration, version: String, logger: Logger
    ) async throws {
        ControlServer.raiseDescriptorLimit()
        let group = MultiThreadedEventLoopGroup.singleton
        let directory = try ServerStore.hold(configuration.stateDirectory)
        let key = try KeyFile.loadOrCreate(directory.file("relay.key"), as: RelayKind.self)
        let settings = try RelaySettings(key: key, configuration.relay)
        let relay = try await StandaloneRelay(
            configuration, settings: settings, version: version, group: group, logger: logger)
        var services: [any ServiceLifecycle.Service] = [
            relay, CertificateReloading(reload: relay.reloadCertificate, logger: logger),
        ]
        do {
            if let stun = configuration.relay.stunListen {
                services.append(
                    try STUNListener(
                        stun, alternate: configuration.relay.stunAlternate, logger: logger))
            }
        } catch {
            await relay.shutDown()
            throw error
        }
        logger.info(
            "relaying",
            metadata: [
                "port": "\(relay.port)", "tls": "\(configuration.tls == nil ? "no" : "yes")",
                "verify": "\(configuration.relay.verifyClients ?? "no")",
            ])
        var lifecycle = ServiceGroupConfiguration(
            services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        lifecycle.maximumGracefulShutdownDuration = .seconds(10)
        try await ServiceGroup(configuration: lifecycle).run()
    }
}
