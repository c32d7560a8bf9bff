import Logging
import NetTypes
import STUNServer
import ServiceLifecycle

/// Answers STUN on a UDP port, so that nodes learn how they look from outside.
struct STUNListener: Service {
    private let server: STUNServer

    init(
        _ endpoint: Endpoint, alternate: IPAddress? = nil, logger: Logger
    ) throws(ControlServerError) {
        do throws(STUNServer.StartError) {
            server = try STUNServer(listeningOn: endpoint, alternate: alternate, logger: logger)
        } catch {
            let host = "\(endpoint.address)"
            let port = Int(endpoint.port)
            switch error {
            case .portInUse: throw .portInUse(host: host, port: port)
            case .portNotPermitted: throw .portNotPermitted(port: port)
            case .cannotListen(_, let reason):
                throw .cannotListen(host: host, port: port, reason: reason)
            }
        }
    }

    var port: Int { server.endpoints.first.map { Int($0.port) } ?? 0 }

    func run() async throws {
        // Cancelled or asked to: both mean to stop.
        try? await gracefulShutdown()
        server.stop()
    }

    func close() { server.stop() }
}
