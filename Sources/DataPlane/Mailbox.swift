internal import LinuxIO
internal import NetTypes
internal import NodeCore
internal import Synchronization

/// What other threads have for the packet thread. State is kept as its latest value and requests
/// and packets in queues with limits, so that it never grows however late the thread comes.
final class Mailbox: Sendable {
    struct Contents: Sendable {
        var configuration: TunnelConfiguration?
        var serverClock: ServerClock?
        var links: LinkSummary?
        var portMappedEndpoints: [Endpoint]?
        var searchesHardNAT: Bool?
        /// Set when it is to be changed.
        var peerRelay: PeerRelaySettings??
        var didLinkChange = false
        var peersGone: [(peer: NodeKey, region: Int)] = []
        var relayLatencies: [(region: Int, roundTrip: Nanoseconds)] = []
        var requests: [DataPlane.Request] = []
        var relayBatches: [RelayBatch] = []
        var relayByteCount = 0
        var droppedRelayPackets = 0
        var isStopping = false
    }

    /// Bytes of relayed packets that may wait: about what a fast relay delivers in 20 ms.
    static var relayByteCountMax: Int { 4 << 20 }
    static var requestCountMax: Int { 256 }
    static var noteCountMax: Int { 1024 }

    let wakeup: Wakeup
    private let contents = Mutex(Contents())

    init() throws(SystemError) { wakeup = try Wakeup() }

    /// Changes the contents and wakes the thread.
    func put(_ body: (inout Contents) -> Void) {
        contents.withLock { body(&$0) }
        wakeup.signal()
    }

    /// Queues a request, or returns false when too many wait.
    func put(request: DataPlane.Request) -> Bool {
        let isQueued = contents.withLock { contents in
            guard contents.requests.count < Self.requestCountMax, !contents.isStopping else {
                return false
            }
            contents.requests.append(request)
            return true
        }
        if isQueued { wakeup.signal() }
        return isQueued
    }

    /// Queues packets, or counts them as dropped when too many bytes wait.
    func put(relayBatch batch: RelayBatch) {
        let isFirst = contents.withLock { contents in
            guard contents.relayByteCount + batch.bytes.count <= Self.relayByteCountMax else {
                contents.droppedRelayPackets += batch.packets.count
                return false
            }
            contents.relayBatches.append(batch)
            contents.relayByteCount += batch.bytes.count
            return contents.relayBatches.count == 1
        }
        // The thread takes all there is at each wake-up: one signal is enough.
        if isFirst { wakeup.signal() }
    }

    /// Everything that waits.
    func take() -> Contents {
        wakeup.clear()
        return contents.withLock { contents in
            var taken = Contents()
            swap(&taken, &contents)
            contents.isStopping = taken.isStopping
            return taken
        }
    }
}
