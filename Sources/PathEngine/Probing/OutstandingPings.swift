import Disco
import NetTypes

/// Pings of one peer that await their pong.
struct OutstandingPings {
    struct Ping {
        let id: PingID
        let destination: PathDestination
        let sentAt: MonotonicInstant
        /// Of the whole datagram.
        let byteCount: Int
        /// Set on pings that a person asked for.
        let request: UInt64?
    }

    private(set) var pings: [Ping] = []

    mutating func insert(_ ping: Ping) {
        if pings.count == PathTiming.outstandingPingsMax { pings.removeFirst() }
        pings.append(ping)
    }

    mutating func take(_ id: PingID) -> Ping? {
        guard let index = pings.firstIndex(where: { $0.id == id }) else { return nil }
        return pings.remove(at: index)
    }

    /// Removes what has waited too long and gives each request among it to `report`.
    mutating func expire(at now: MonotonicInstant, report: (UInt64) -> Void) {
        let isExpired = { (ping: Ping) in now - ping.sentAt >= PathTiming.pingTimeout }
        guard let oldest = pings.first, isExpired(oldest) else { return }
        for ping in pings where isExpired(ping) {
            if let request = ping.request { report(request) }
        }
        pings.removeAll(where: isExpired)
    }

    mutating func removeAll() { pings.removeAll() }

    /// When the next request is given up.
    var requestDeadline: MonotonicInstant? {
        pings.first { $0.request != nil }.map { $0.sentAt + PathTiming.pingTimeout }
    }
}
