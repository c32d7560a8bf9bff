import Coordination
import Glibc
package import Logging
package import NIOCore
package import ServiceLifecycle
import UnixSignals

extension ControlServer {
    /// Serves until SIGTERM or SIGINT, then stops cleanly. SIGHUP reads the certificate again.
    ///
    /// `others` are services that need the server: they start after it and stop before it.
    package static func run(
        _ settings: Settings, storage: Storage, group: any EventLoopGroup, logger: Logger,
        others: (ControlServer) throws -> [any Service] = { _ in [] }
    ) async throws {
        raiseDescriptorLimit()
        let server = try await ControlServer(
            settings, storage: storage, group: group, logger: logger)
        let services: [any Service]
        do {
            services = try others(server)
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
            services: [server, CertificateReloading(server: server, logger: logger)] + services,
            gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        configuration.maximumGracefulShutdownDuration = .seconds(10)
        try await ServiceGroup(configuration: configuration).run()
    }

    /// Every node holds a connection; the usual limit of 1024 files would end at a thousand.
    private static func raiseDescriptorLimit() {
        var limit = rlimit()
        let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(kind, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
        limit.rlim_cur = limit.rlim_max
        // If it cannot be raised, the accepting side backs off when the limit is reached.
        _ = setrlimit(kind, &limit)
    }
}

extension ControlServer: Service {
    /// Does what falls due until it is told to stop, then closes everything.
    package func run() async throws {
        await cancelWhenGracefulShutdown { await self.owner.run() }
        await shutDown()
    }
}

/// Reads the certificate again at each SIGHUP.
private struct CertificateReloading: Service {
    let server: ControlServer
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            for await _ in await UnixSignalsSequence(trapping: .sighup) {
                do {
                    try server.reloadCertificate()
                    logger.info("certificate read again")
                } catch {
                    logger.error("keeping the old certificate: \(error)")
                }
            }
        }
    }
}
