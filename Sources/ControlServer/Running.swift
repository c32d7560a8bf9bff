import Coordination
import CryptoPrimitives
import DERP
import Glibc
package import LinuxIO
package import Logging
import NIOCore
import NIOPosix
import NetTypes
package import ServerStore
import ServiceLifecycle
package import SignIn
import UnixSignals
import WebAuthn

extension ControlServer {
    /// Serves as configured until SIGTERM or SIGINT, then stops cleanly. SIGHUP reads the
    /// certificate again.
    ///
    /// Throws `ServerStoreError` or `ControlServerError`, whose descriptions are one line, when
    /// the server cannot start.
    package static func run(
        configuration: ServerConfiguration, version: String, logger: Logger
    ) async throws {
        raiseDescriptorLimit()
        let group = MultiThreadedEventLoopGroup.singleton
        let directory = try ServerStore.hold(configuration.stateDirectory)
        let store = try ServerStore(directory: directory)
        var settings = try Settings(configuration, keysIn: directory)
        settings.version = version
        let storage = Storage(store)
        try await serve(settings, storage: storage, group: group, logger: logger) { server in
            var services: [any Service] = [
                try await AdminListener(
                    path: configuration.adminSocket, owner: server.owner, storage: storage,
                    group: group, logger: logger)
            ]
            if configuration.relay.isEnabled, let stun = configuration.relay.stunListen {
                services.append(
                    try STUNListener(
                        stun, alternate: configuration.relay.stunAlternate, logger: logger))
            }
            return services
        }
        try store.close()
    }

    /// `others` are services that need the server: they start after it and stop before it.
    private static func serve(
        _ settings: Settings, storage: Storage, group: any EventLoopGroup, logger: Logger,
        others: (ControlServer) async throws -> [any Service]
    ) async throws {
        let server = try await ControlServer(
            settings, storage: storage, group: group, logger: logger)
        let services: [any Service]
        do {
            services = try await others(server)
        } catch {
            await server.shutDown()
            throw error
        }
        logger.info(
            "serving",
            metadata: [
                "url": "\(settings.coordination.serverURL)", "host": "\(settings.host)",
                "port": "\(server.port)",
                "tls": "\(settings.certificate == nil ? "no" : "yes")",
            ])
        var configuration = ServiceGroupConfiguration(
            services: [
                server, CertificateReloading(reload: server.reloadCertificate, logger: logger),
                MemoryReleasing(),
            ] + [server.revocationSweep].compactMap { $0 } + services,
            gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        configuration.maximumGracefulShutdownDuration = .seconds(10)
        try await ServiceGroup(configuration: configuration).run()
    }

    /// Every node holds a connection; the usual limit of 1024 files would end at a thousand.
    static func raiseDescriptorLimit() {
        var limit = rlimit()
        let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(kind, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
        limit.rlim_cur = limit.rlim_max
        // If it cannot be raised, the accepting side backs off when the limit is reached.
        _ = setrlimit(kind, &limit)
    }
}

extension ControlServer.Settings {
    /// Takes the server's keys from the state directory, where they are made at the first start.
    init(
        _ configuration: ServerConfiguration, keysIn directory: PrivateFolder
    ) throws {
        self.init(
            host: "\(configuration.listen.address)", port: Int(configuration.listen.port),
            coordination: configuration.coordinationSettings,
            serverKey: try KeyFile.loadOrCreate(
                directory.file("noise.key"), as: MachineKind.self))
        accounts = try Accounts(configuration, keysIn: directory)
        certificate = configuration.tls
        machineCertificates = configuration.machineCertificates
        providers = configuration.providers
        if providers.contains(where: \.needsSAMLIdentity) {
            samlIdentity = try SAMLKeys.loadOrMake(
                directory.file(SAMLKeys.fileName), host: configuration.serverHost,
                at: ServerClock().now.wall)
        }
        trustedProxies = configuration.trustedProxies
        if configuration.relay.isEnabled {
            let key = try KeyFile.loadOrCreate(
                directory.file("relay.key"), as: RelayKind.self)
            relay = try RelaySettings(key: key, configuration.relay)
        }
    }
}

extension Accounts {
    /// Takes the key that seals secrets of accounts from the state directory.
    package init(
        _ configuration: ServerConfiguration, keysIn directory: PrivateFolder
    ) throws(ServerStoreError) {
        // Any 32 secret bytes will do, and the form of the file is that of other keys.
        let key = try KeyFile.loadOrCreate(directory.file("accounts.key"), as: MachineKind.self)
        var settings = configuration.signIn
        if configuration.hasPasskeys {
            settings.relyingParty = RelyingParty(
                serverURL: configuration.serverURL, name: settings.issuer)
        }
        self.init(settings: settings, secrets: AccountSecrets(key.secret))
    }
}

extension Storage {
    package init(_ store: ServerStore) {
        self.init(
            commit: { try await store.commit($0) },
            load: { try await store.load() },
            audit: { try await store.auditEntries(before: $0, limit: $1) })
    }
}

extension ControlServer: Service {
    /// Does what falls due until it is told to stop, then closes everything.
    package func run() async throws {
        await cancelWhenGracefulShutdown { await self.owner.run() }
        await shutDown()
    }
}

/// Gives back what only the start has needed, and every hour what has been used since.
struct MemoryReleasing: Service {
    func run() async throws {
        await cancelWhenGracefulShutdown {
            var pause = Duration.seconds(10)
            while !Task.isCancelled {
                // Cancellation is how this ends.
                try? await Task.sleep(for: pause)
                ProcessMemory.releaseUnused()
                pause = .seconds(3600)
            }
        }
    }
}

/// Reads the certificate again at each SIGHUP.
struct CertificateReloading: Service {
    let reload: @Sendable () throws(ControlServerError) -> Void
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            for await _ in await UnixSignalsSequence(trapping: .sighup) {
                do throws(ControlServerError) {
                    try reload()
                    logger.info("certificate read again")
                } catch {
                    logger.error("keeping the old certificate: \(error)")
                }
            }
        }
    }
}
