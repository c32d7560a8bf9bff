import Coordination
import Logging
import MachineCertificates
import NetTypes
import ServiceLifecycle

/// Throws out nodes that are in when their certificates are taken back: looks at the files now and then,
/// and at all nodes when they have changed.
struct RevocationSweep: Service {
    private static let pause = Duration.seconds(15)

    let owner: CoordinationOwner
    let checker: MachineCertificateChecker
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var version: Int?
            while !Task.isCancelled {
                let current = checker.version
                if current != version {
                    await sweep()
                    version = current
                }
                // Being cancelled is how it ends.
                try? await Task.sleep(for: Self.pause)
            }
        }
    }

    func sweep() async {
        do {
            let out = try await owner.perform(by: .server) { coordinator, now, _ in
                coordinator.expireRevoked(at: now.wall) {
                    checker.isRevoked($0, at: now.wall)
                }
            }
            for node in out {
                logger.notice(
                    "certificate revoked, node expired", metadata: ["node": "\(node.name)"])
            }
        } catch {
            logger.error("nodes with revoked certificates stay", metadata: ["error": "\(error)"])
        }
    }
}
