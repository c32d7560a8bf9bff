import Disco
import NetTypes

/// One attempt of the side with the easy NAT: it pings many ports of the peer's address, of which one
/// may be a mapping that the peer has made.
struct ProbingAttempt {
    struct Probe {
        let endpoint: Endpoint
        let sentAt: MonotonicInstant
    }

    let peer: Int
    let id: UInt32
    let address: IPAddress
    let ports: ClosedRange<UInt16>
    let limit: Int
    /// From the first port on, where there are few; else drawn.
    private let isInOrder: Bool
    private(set) var sent = 0
    /// Ports drawn already, a bit each.
    private var drawn: [UInt64]
    private(set) var pings: [PingID: Probe] = [:]
    private(set) var nextBatchAt: MonotonicInstant
    private(set) var deadline: MonotonicInstant

    init(
        peer: Int, id: UInt32, address: IPAddress, ports: ClosedRange<UInt16>, limit: Int,
        at now: MonotonicInstant
    ) {
        self.peer = peer
        self.id = id
        self.address = address
        self.ports = ports
        self.limit = min(limit, ports.count)
        isInOrder = ports.count <= limit
        drawn = isInOrder ? [] : Array(repeating: 0, count: (ports.count + 63) / 64)
        nextBatchAt = now
        deadline = now + HardNATTiming.openTimeout
    }

    var isFull: Bool { sent >= limit }
    var nextDeadline: MonotonicInstant { isFull ? deadline : min(deadline, nextBatchAt) }

    /// How many go out now; called when a batch is due.
    mutating func takeBatch(at now: MonotonicInstant) -> Int {
        nextBatchAt = now + HardNATTiming.tick
        let rate =
            sent < HardNATTiming.fastProbes ? HardNATTiming.perTick : HardNATTiming.perSlowTick
        return min(rate, limit - sent)
    }

    /// A port that has not been tried.
    mutating func nextPort(random: inout some RandomNumberGenerator) -> UInt16 {
        if isInOrder { return ports.lowerBound + UInt16(sent) }
        while true {
            // At most half of the ports are ever drawn, or few of many: this ends soon.
            let offset = Int(random.next(upperBound: UInt64(ports.count)))
            guard drawn[offset / 64] & (1 << (offset % 64)) == 0 else { continue }
            drawn[offset / 64] |= 1 << (offset % 64)
            return ports.lowerBound + UInt16(offset)
        }
    }

    mutating func noteSent(_ id: PingID, to endpoint: Endpoint, at now: MonotonicInstant) {
        pings[id] = Probe(endpoint: endpoint, sentAt: now)
        sent += 1
        if isFull { deadline = now + HardNATTiming.probeTimeout }
    }

    mutating func take(_ id: PingID) -> Probe? { pings.removeValue(forKey: id) }
}
