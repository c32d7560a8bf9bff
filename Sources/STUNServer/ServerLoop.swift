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
    static func run(_ listeners: [Listener], _ shared: SharedState) throws(SystemError) {
        var poller = try Poller()
        try poller.add(shared.wakeup.descriptor, token: wakeupToken)
        for (index, listener) in listeners.enumerated() {
            try poller.add(listener.socket.descriptor, token: UInt64(index))
        }
        var requests = PacketBatch(headroom: 0, tailroom: 0)
        var responses = PacketBatch(slotByteCount: 128, headroom: 0, tailroom: 0)
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
                    try serve(listeners[Int(token)].socket, &requests, &responses, shared)
                    failures = 0
                } catch {
                    failures += 1
                    if failures == failuresMax { throw error }
                }
            }
        }
    }

    private static func serve(
        _ socket: borrowing UDPSocket, _ requests: inout PacketBatch,
        _ responses: inout PacketBatch, _ shared: SharedState
    ) throws(SystemError) {
        for _ in 0..<batchesPerTurn {
            let received = try socket.receive(into: &requests)
            guard received > 0 else { return }
            var statistics = STUNServer.Statistics()
            responses.removeAll()
            for index in 0..<received {
                if answer(requests, index, into: &responses) {
                    statistics.answered += 1
                } else {
                    statistics.rejected += 1
                }
            }
            // A full socket buffer loses answers, which the client's next try makes good.
            let sent = socket.send(responses).sent
            statistics.unsent = statistics.answered - sent
            statistics.answered = sent
            shared.statistics.withLock { total in
                total.answered += statistics.answered
                total.rejected += statistics.rejected
                total.unsent += statistics.unsent
            }
            if received < PacketBatch.capacity { return }
        }
    }

    /// Appends the answer to one request. False when there is none.
    private static func answer(
        _ requests: borrowing PacketBatch, _ index: Int, into responses: inout PacketBatch
    ) -> Bool {
        guard let source = requests.endpoint(at: index) else { return false }
        let slot = responses.appendSlot()
        let length: Int
        do throws(STUNServerLogic.DropReason) {
            var bytes = responses.slot(at: slot)
            length = try STUNServerLogic.respond(
                to: requests.payload(at: index), from: source, into: &bytes)
        } catch {
            responses.removeLast()
            return false
        }
        responses.setPayload(0..<length, at: slot)
        responses.setEndpoint(source, at: slot)
        return true
    }
}
