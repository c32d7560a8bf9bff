internal import LinuxIO
package import Logging
package import NetTypes
internal import Synchronization

/// Answers STUN binding requests on UDP sockets, on a thread of its own.
///
/// It decides nothing: `STUNServerLogic` turns each request into its answer. Answers come from the
/// address and port that was asked, unless the client wants another (RFC 5780): for that the server
/// has a second port, and a second address if it is given one. Up to 64 requests are received and
/// answered at a time. `stop`, or letting go of the server, ends the thread and closes the sockets.
package final class STUNServer: Sendable {
    package struct Statistics: Equatable, Sendable {
        package var answered = 0
        /// Datagrams that are no valid request, or came from where none can be answered.
        package var rejected = 0
        /// Requests of sources that had more answers than anybody needs.
        package var limited = 0
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
    /// Where it answers from, too, when it is asked to.
    package let alternateEndpoints: [Endpoint]
    private let shared: SharedState
    private let thread: Mutex<RunningThread?>
    private let logger: Logger

    /// Listens on `endpoint`. An unspecified address of either family means all addresses of both,
    /// as far as the machine has them. `alternate` is another address of this machine, of the same
    /// family, and reached from outside in the same way. The port above the one given should be free.
    package init(
        listeningOn endpoint: Endpoint, alternate: IPAddress? = nil, logger: Logger
    ) throws(StartError) {
        if let alternate, !endpoint.address.isUnspecified,
            alternate.isIPv4 != endpoint.address.isIPv4 || alternate == endpoint.address
        {
            throw .cannotListen(
                endpoint, reason: "\(alternate) is no other address of the same family")
        }
        let listeners = try Listeners(endpoint, alternate: alternate)
        endpoints = listeners.endpoints
        alternateEndpoints = listeners.all.map(\.endpoint).filter {
            !listeners.endpoints.contains($0)
        }
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
        let others = alternateEndpoints.map(\.description).joined(separator: ", ")
        logger.info(
            "STUN server listens", metadata: ["endpoints": "\(texts)", "alternates": "\(others)"])
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
