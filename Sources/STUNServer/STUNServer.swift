internal import LinuxIO
package import Logging
internal import NetTypes
internal import STUN
internal import Synchronization
package import UDPSocket

/// Answers STUN binding requests on one UDP port, IPv4 and IPv6. It owns a thread, which ends with
/// `stop` or with the server.
package final class STUNServer: Sendable {
    package struct Counters: Equatable, Sendable {
        package var answered = 0
        /// Not STUN, malformed, or from a source that cannot be answered.
        package var dropped = 0
        /// Answers that found the socket's buffer full or no way back.
        package var notSent = 0
    }

    private let shared: Shared
    private let thread: Mutex<RunningThread?>

    /// The port it listens on.
    package let port: UInt16

    /// Binds both families to `port` (0: any); a kernel without IPv6 gets IPv4 alone. Begins to
    /// answer at once.
    package init(port: UInt16, logger: Logger) throws(UDPSocket.OpenError) {
        let ipv4 = try UDPSocket(family: .v4, port: port)
        let bound = ipv4.port
        var ipv6: UDPSocket?
        do throws(UDPSocket.OpenError) {
            ipv6 = try UDPSocket(family: .v6, port: bound)
        } catch .familyUnsupported {
            ipv6 = nil
        }
        self.port = bound
        let handOver = HandOver(Mutex(Sockets(ipv4: ipv4, ipv6: ipv6)))
        do throws(SystemError) {
            let shared = try Shared()
            self.shared = shared
            let running = try startThread(name: "stun-server") {
                guard let sockets = handOver.take() else { return }
                do throws(SystemError) {
                    var loop = try Loop(sockets, shared: shared)
                    try loop.run()
                } catch {
                    logger.error("the STUN server ended: \(error)")
                }
            }
            thread = Mutex(running)
        } catch {
            throw .system(error)
        }
    }

    deinit { stop() }

    package var counters: Counters { shared.counters.withLock { $0 } }

    /// Closes the sockets; returns when the thread has ended.
    package func stop() {
        shared.isStopping.withLock { $0 = true }
        shared.wakeup.signal()
        let running = thread.withLock { $0.take() }
        if let running { running.join() }
    }
}

/// What the thread and its owner share.
private final class Shared: Sendable {
    let wakeup: Wakeup
    let isStopping = Mutex(false)
    let counters = Mutex(STUNServer.Counters())

    init() throws(SystemError) { wakeup = try Wakeup() }
}

private struct Sockets: ~Copyable, Sendable {
    var ipv4: UDPSocket
    var ipv6: UDPSocket?
}

/// Hands the sockets to the thread, once.
private final class HandOver: Sendable {
    private let value: Mutex<Sockets?>
    init(_ value: consuming sending Mutex<Sockets?>) { self.value = value }
    func take() -> Sockets? { value.withLock { $0.take() } }
}

private struct Loop: ~Copyable {
    let shared: Shared
    let sockets: Sockets
    var poller: Poller
    /// Room for any request that makes sense; longer ones are truncated and dropped.
    var requests = PacketBatch(slotByteCount: 1024)
    var answers = PacketBatch(slotByteCount: 256)

    init(_ sockets: consuming Sockets, shared: Shared) throws(SystemError) {
        let poller = try Poller()
        try poller.add(shared.wakeup.descriptor, token: 0)
        try poller.add(sockets.ipv4.descriptor, token: 1)
        if let descriptor = sockets.ipv6?.descriptor { try poller.add(descriptor, token: 2) }
        self.poller = poller
        self.shared = shared
        self.sockets = sockets
    }

    mutating func run() throws(SystemError) {
        while !shared.isStopping.withLock({ $0 }) {
            let count = try poller.wait(timeout: nil)
            for index in 0..<count {
                switch poller[index].token {
                case 1:
                    _ = try sockets.ipv4.receive(into: &requests)
                    answer()
                case 2:
                    _ = try sockets.ipv6?.receive(into: &requests)
                    answer()
                default: continue
                }
            }
        }
    }

    private mutating func answer() {
        var counters = STUNServer.Counters()
        answers.removeAll()
        for index in 0..<requests.count {
            guard let source = requests.endpoint(at: index) else { continue }
            if makeAnswer(from: requests, at: index, to: source, into: &answers) {
                counters.answered += 1
            } else {
                counters.dropped += 1
            }
        }
        let outcome4 = sockets.ipv4.send(answers)
        let outcome6 = sockets.ipv6?.send(answers)
        counters.notSent = outcome4.refused + (outcome6?.refused ?? 0)
        shared.counters.withLock { total in
            total.answered += counters.answered
            total.dropped += counters.dropped
            total.notSent += counters.notSent
        }
    }
}

/// Appends the answer to a request. Returns false when it gets none.
private func makeAnswer(
    from requests: borrowing PacketBatch, at index: Int, to source: Endpoint,
    into answers: inout PacketBatch
) -> Bool {
    let slot = answers.appendSlot()
    var bytes = answers.slot(at: slot)
    var room = bytes._mutatingExtracting(64..<64 + STUNServerLogic.responseCapacity)
    do throws(STUNServerLogic.DropReason) {
        let count = try STUNServerLogic.respond(
            to: requests.payload(at: index), from: source, into: &room)
        answers.setPayload(64..<64 + count, at: slot)
        answers.setEndpoint(source, at: slot)
        return true
    } catch {
        answers.removeLast()
        return false
    }
}
