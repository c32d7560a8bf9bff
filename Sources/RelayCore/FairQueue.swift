public import NetTypes

/// A packet that waits for its receiver, or several that arrived together.
@usableFromInline
struct QueuedPacket<Payload> {
    @usableFromInline var source: NodeKey
    @usableFromInline var destination: NodeKey
    /// What tells senders apart: the index of the sending connection, or a number made of the key
    /// of a sender at another relay.
    @usableFromInline var sender: UInt32
    @usableFromInline var byteCount: Int
    @usableFromInline var packetCount: Int
    @usableFromInline var queuedAt: MonotonicInstant
    @usableFromInline var payload: Payload

    @inlinable init(
        source: NodeKey, destination: NodeKey, sender: UInt32, byteCount: Int,
        packetCount: Int, queuedAt: MonotonicInstant, payload: Payload
    ) {
        self.source = source
        self.destination = destination
        self.sender = sender
        self.byteCount = byteCount
        self.packetCount = packetCount
        self.queuedAt = queuedAt
        self.payload = payload
    }

    /// What it counts against the bounds: the packets' bytes and what keeping them takes.
    @inlinable var cost: Int { byteCount + 88 + 40 * packetCount }
}

/// Packets of many senders to one receiver: each sender gets the same share of bytes (deficit round
/// robin, Shreedhar and Varghese 1995), and when the queue is full the longest one loses its oldest.
@usableFromInline
struct FairQueue<Payload> {
    @usableFromInline
    struct Flow {
        @usableFromInline var sender: UInt32
        /// Bytes it may still send before the next flow's turn.
        @usableFromInline var deficit: Int
        @usableFromInline var cost = 0
        @usableFromInline var packets = Ring<QueuedPacket<Payload>>()

        @inlinable init(sender: UInt32, deficit: Int) {
            self.sender = sender
            self.deficit = deficit
        }
    }

    /// Only senders with packets waiting are in it; beyond `flowsMax`, senders share a flow.
    @usableFromInline var flows: [Flow] = []
    @usableFromInline var turn = 0
    @usableFromInline var cost = 0

    @inlinable init() {}

    @inlinable static var flowsMax: Int { 64 }
    @inlinable static var quantum: Int { 2_048 }

    @inlinable var isEmpty: Bool { flows.isEmpty }

    @inlinable mutating func append(_ packet: QueuedPacket<Payload>) {
        let index = flowIndex(of: packet.sender)
        cost += packet.cost
        flows[index].cost += packet.cost
        flows[index].packets.append(packet)
    }

    @inlinable mutating func popNext() -> QueuedPacket<Payload>? {
        guard !flows.isEmpty else { return nil }
        while true {
            if turn >= flows.count { turn = 0 }
            guard let first = flows[turn].packets.first else {
                preconditionFailure("a flow without packets is removed at once")
            }
            if flows[turn].deficit >= first.cost {
                flows[turn].deficit -= first.cost
                return pop(turn)
            }
            flows[turn].deficit += Self.quantum
            turn += 1
        }
    }

    /// Removes the oldest packet of the sender that has most waiting.
    @inlinable mutating func dropOldestOfLongest() -> QueuedPacket<Payload>? {
        var longest: Int?
        for index in flows.indices where longest.map({ flows[index].cost > flows[$0].cost }) ?? true
        {
            longest = index
        }
        return longest.flatMap { pop($0) }
    }

    @inlinable mutating func pop(_ index: Int) -> QueuedPacket<Payload>? {
        guard let packet = flows[index].packets.popFirst() else { return nil }
        cost -= packet.cost
        flows[index].cost -= packet.cost
        if flows[index].packets.isEmpty {
            flows.remove(at: index)
            if index < turn { turn -= 1 }
        }
        return packet
    }

    /// Whether the sender has as much in the queue as others have on average, at least about that.
    @inlinable func hasShare(_ sender: UInt32) -> Bool {
        for flow in flows.indices where flows[flow].sender == sender {
            return flows[flow].cost * flows.count * 2 > cost
        }
        return true
    }

    @inlinable mutating func flowIndex(of sender: UInt32) -> Int {
        for index in flows.indices where flows[index].sender == sender { return index }
        if flows.count < Self.flowsMax {
            flows.append(Flow(sender: sender, deficit: Self.quantum))
            return flows.count - 1
        }
        return Int(sender) % Self.flowsMax
    }
}
