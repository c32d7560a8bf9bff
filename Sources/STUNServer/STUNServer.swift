internal import LinuxIO
package import Logging
package import NetTypes
internal import Synchronization
internal import UDPSocket

/// Answers STUN binding requests on UDP sockets, on a thread of its own.
///
/// It decides nothing: `STUNServerLogic` turns each request into its answer. Up to 64 requests are
/// received and answered at a time. `stop`, or letting go of the server, ends the thread and closes
/// the sockets.
package final class STUNServer: Sendable {
    package struct Statistics: Equatable, Sendable {
        package var answered = 0
        /// Datagrams that are no valid request, or came from where none can be answered.
        package var rejected = 0
        /// Answers that the kernel did not take.
        package var unsent = 0
    }

    package enum StartError: Error, Equatable, CustomStringConvertible {
        case portInUse(Endpoint)
        case portNotPermitted(Endpoint)
        case cannotListen(Endpoint, reason: String)

        package var description: String {
            switch self {
            case .portInUse(let endpoint): "STUN on \(endpoint): the port is in use"
            case .portNotPermitted(let endpoint):
                "STUN on \(endpoint): the port is reserved for root"
            case .cannotListen(let endpoint, let reason): "STUN on \(endpoint): \(reason)"
            }
        }
    }

    /// Where the server listens, with the port that the kernel chose when 0 was asked for.
    package let endpoints: [Endpoint]
    private let shared: SharedState
    private let thread: Mutex<RunningThread?>
    private let logger: Logger

    /// Listens on `endpoint`. An unspecified address of either family means all addresses of both,
    /// as far as the machine has them.
    package init(listeningOn endpoint: Endpoint, logger: Logger) throws(StartError) {
        let listeners = try Listener.open(endpoint)
        endpoints = listeners.map(\.endpoint)
        self.logger = logger
        do throws(SystemError) {
            let shared = try SharedState()
            self.shared = shared
            let thread = try startThread(name: "stun") {
                // The loop ends by itself only when the kernel fails it.
                do throws(SystemError) {
                    try ServerLoop.run(listeners, shared)
                } catch {
                    logger.error("STUN server stopped", metadata: ["error": "\(error)"])
                }
            }
            self.thread = Mutex(thread)
        } catch {
            throw .cannotListen(endpoint, reason: "\(error)")
        }
        let texts = endpoints.map(\.description).joined(separator: ", ")
        logger.info("STUN server listens", metadata: ["endpoints": "\(texts)"])
    }

    deinit { stop() }

    package var statistics: Statistics { shared.statistics.withLock { $0 } }

    /// Ends the thread and waits for it. Calling it again does nothing.
    package func stop() {
        shared.isStopping.store(true, ordering: .releasing)
        shared.wakeup.signal()
        thread.withLock { thread in
            if let running = thread.take() { running.join() }
        }
    }
}

/// What the thread shares with its owner.
final class SharedState: Sendable {
    let wakeup: Wakeup
    let isStopping = Atomic(false)
    let statistics = Mutex(STUNServer.Statistics())

    init() throws(SystemError) { wakeup = try Wakeup() }
}

/// One bound socket.
final class Listener: Sendable {
    let socket: UDPSocket
    let endpoint: Endpoint

    private init(_ endpoint: Endpoint) throws(UDPSocket.OpenError) {
        socket = try UDPSocket(local: endpoint, bufferByteCount: 1 << 20)
        self.endpoint = Endpoint(endpoint.address, port: socket.port)
    }

    /// One listener, or one of each family for an unspecified address.
    static func open(_ endpoint: Endpoint) throws(STUNServer.StartError) -> [Listener] {
        guard endpoint.address.isUnspecified else { return [try open(one: endpoint)] }
        var listeners: [Listener] = []
        for address in [IPAddress.v4(.any), .v6(.any)] {
            let port = listeners.first?.endpoint.port ?? endpoint.port
            do throws(UDPSocket.OpenError) {
                listeners.append(try Listener(Endpoint(address, port: port)))
            } catch .familyUnsupported {
                continue
            } catch {
                throw STUNServer.StartError(endpoint, error)
            }
        }
        guard !listeners.isEmpty else {
            throw .cannotListen(endpoint, reason: "this machine has neither IPv4 nor IPv6")
        }
        return listeners
    }

    private static func open(one endpoint: Endpoint) throws(STUNServer.StartError) -> Listener {
        do throws(UDPSocket.OpenError) {
            return try Listener(endpoint)
        } catch {
            throw STUNServer.StartError(endpoint, error)
        }
    }
}

extension STUNServer.StartError {
    fileprivate init(_ endpoint: Endpoint, _ error: UDPSocket.OpenError) {
        self =
            switch error {
            case .portInUse: .portInUse(endpoint)
            case .portNotPermitted: .portNotPermitted(endpoint)
            default: .cannotListen(endpoint, reason: "\(error)")
            }
    }
}
