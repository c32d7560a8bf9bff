internal import NetTypes
internal import WireGuardMessages

/// A message whose mac1 was right and whose public-key work is still to be done.
struct PendingHandshake {
    var message: [UInt8]
    var source: PacketSource
}

/// Handshake messages waiting for their share of the budget, and whether they are so many that
/// senders must prove their address first.
struct HandshakeQueue {
    private var queue = BoundedQueue<PendingHandshake>(
        limit: WireGuardConstants.handshakeQueueLimit)
    private var underLoadUntil = MonotonicInstant(nanoseconds: 0)

    var isEmpty: Bool { queue.isEmpty }
    var count: Int { queue.count }

    func isUnderLoad(at now: MonotonicInstant) -> Bool { now < underLoadUntil }

    /// False when there is no room.
    mutating func append(_ pending: PendingHandshake, at now: MonotonicInstant) -> Bool {
        let isAdded = queue.append(pending)
        if queue.count >= WireGuardConstants.underLoadQueueLength {
            underLoadUntil = now + WireGuardConstants.underLoadHold
        }
        return isAdded
    }

    mutating func popFirst() -> PendingHandshake? { queue.popFirst() }
}
