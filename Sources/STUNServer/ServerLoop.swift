import LinuxIO
import NetTypes
import STUN
import Synchronization
import UDPSocket

/// The thread of a `STUNServer`.
enum ServerLoop {
    private static var wakeupToken: UInt64 { .max }
    /// Batches taken from one socket before the others get their turn.
    private static var batchesPerTurn: Int { 8 }
    /// The kernel fails a receive now and then (ICMP errors of earlier answers); this many failures
    /// in a row are no such thing.
    private static var failuresMax: Int { 1_000 }

    /// Serves until `shared` says stop.
    static func run(_ listeners: Listeners, _ shared: SharedState) throws(SystemError) {
        var poller = try Poller()
        try poller.add(shared.wakeup.descriptor, token: wakeupToken)
        for (index, listener) in listeners.all.enumerated() {
            try poller.add(listener.socket.descriptor, token: UInt64(index))
        }
        var turn = ServerTurn(listeners)
        var failures = 0
        while !shared.isStopping.load(ordering: .acquiring) {
            let count = try poller.wait(timeout: nil)
            for index in 0..<count {
                let token = poller[index].token
                if token == wakeupToken {
                    shared.wakeup.clear()
                    continue
                }
                do throws(SystemError) {
                    try serve(Int(token), &turn, shared)
                    failures = 0
                } catch {
                    failures += 1
                    if failures == failuresMax { throw error }
                }
            }
        }
    }

    private static func serve(
        _ listener: Int, _ turn: inout ServerTurn, _ shared: SharedState
    ) throws(SystemError) {
        for _ in 0..<batchesPerTurn {
            let received = try turn.serve(listener)
            let statistics = turn.takeStatistics()
            guard received > 0 else { return }
            shared.statistics.withLock { total in
                total.answered += statistics.answered
                total.rejected += statistics.rejected
                total.limited += statistics.limited
                total.unsent += statistics.unsent
            }
            if received < PacketBatch.capacity { return }
        }
    }
}

/// Takes batches of requests and sends their answers; its memory is allocated once.
struct ServerTurn: ~Copyable {
    private let listeners: Listeners
    private var budget = SourceBudget()
    private var requests = PacketBatch(headroom: 0, tailroom: 0)
    private var requestLocals = LocalAddresses()
    private var responses = PacketBatch(headroom: 0, tailroom: 0)
    private var responseLocals = LocalAddresses()
    private var statistics = STUNServer.Statistics()

    init(_ listeners: Listeners) { self.listeners = listeners }

    mutating func takeStatistics() -> STUNServer.Statistics {
        defer { statistics = STUNServer.Statistics() }
        return statistics
    }

    /// Answers what waits at a socket, a batch at most. Returns how many datagrams that was.
    mutating func serve(_ index: Int) throws(SystemError) -> Int {
        let listener = listeners.all[index]
        let received = try listener.socket.receive(into: &requests, locals: &requestLocals)
        let now = BootClock.now()
        responses.removeAll()
        for request in 0..<received { answer(request, of: index, at: now) }
        send(by: index)
        return received
    }

    /// Appends the answer to one request, or sends it at once where it leaves by another socket.
    private mutating func answer(_ request: Int, of index: Int, at now: MonotonicInstant) {
        let listener = listeners.all[index]
        let bound = listener.endpoint.address
        guard let source = requests.endpoint(at: request) else { return }
        guard let local = requestLocals[request] ?? (bound.isUnspecified ? nil : bound) else {
            statistics.rejected += 1
            return
        }
        let site = listeners.site(of: Endpoint(local, port: listener.endpoint.port))
        let slot = responses.appendSlot()
        do throws(STUNServerLogic.DropReason) {
            let reply = try respond(
                to: requests, request, from: source, at: site, into: &responses, slot)
            guard budget.take(source.address, at: now) else {
                statistics.limited += 1
                return responses.removeLast()
            }
            let origin = reply.origin ?? site.local
            responses.setPayload(0..<reply.byteCount, at: slot)
            responses.setEndpoint(reply.destination, at: slot)
            responseLocals[slot] = origin.address
            if !listener.canSend(from: origin) { send(slot, from: origin) }
        } catch {
            responses.removeLast()
            statistics.rejected += 1
        }
    }

    /// Sends the last slot alone and gives it back.
    private mutating func send(_ slot: Int, from origin: Endpoint) {
        guard let index = listeners.index(sendingFrom: origin) else {
            statistics.unsent += 1
            return responses.removeLast()
        }
        let outcome = listeners.all[index].socket.send(
            responses, from: slot, locals: responseLocals)
        statistics.answered += outcome.sent
        statistics.unsent += 1 - outcome.sent
        responses.removeLast()
    }

    /// A full socket buffer loses answers, which the client's next try makes good.
    private mutating func send(by index: Int) {
        let sent = listeners.all[index].socket.send(responses, locals: responseLocals).sent
        statistics.answered += sent
        statistics.unsent += responses.count - sent
    }
}

// A free function because it touches two batches at once, which a method cannot.
private func respond(
    to requests: borrowing PacketBatch, _ request: Int, from source: Endpoint, at site: STUNSite,
    into responses: inout PacketBatch, _ slot: Int
) throws(STUNServerLogic.DropReason) -> STUNServerLogic.Reply {
    var bytes = responses.slot(at: slot)
    return try STUNServerLogic.respond(
        to: requests.payload(at: request), from: source, at: site, into: &bytes)
}
