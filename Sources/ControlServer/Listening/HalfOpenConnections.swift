import NIOCore
import NetTypes
import Synchronization

/// Connections that have not asked for anything valid yet. There may be so many of them; past that
/// the oldest makes room, so that a flood of silent ones cannot keep a real client out.
final class HalfOpenConnections: Sendable {
    struct Limits: Sendable {
        var total = 4096
        /// From one address. A whole office may stand behind one.
        var perAddress = 512
    }

    private struct State {
        var nextID: UInt64 = 0
        var channels: [UInt64: (address: IPAddress?, channel: any Channel)] = [:]
        /// Oldest first. IDs that are gone already are skipped, and cut out when they are many.
        var order: [UInt64] = []
        var byAddress: [IPAddress: [UInt64]] = [:]
    }

    private let limits: Limits
    private let state = Mutex(State())

    init(limits: Limits = Limits()) { self.limits = limits }

    var count: Int { state.withLock { $0.channels.count } }

    /// Adds a connection, closing the oldest if there are too many; `address` is nil for those
    /// that are counted in the total only. Give the result to `remove`.
    func add(_ channel: any Channel, from address: IPAddress?) -> UInt64 {
        let (id, displaced) = state.withLock { state -> (UInt64, (any Channel)?) in
            let id = state.nextID
            state.nextID += 1
            var displaced: (any Channel)?
            if let address, let ids = state.byAddress[address], ids.count >= limits.perAddress,
                let oldest = ids.first
            {
                displaced = Self.take(oldest, from: &state)
            } else if state.channels.count >= limits.total,
                let oldest = state.order.first(where: { state.channels[$0] != nil })
            {
                displaced = Self.take(oldest, from: &state)
            }
            state.channels[id] = (address, channel)
            state.order.append(id)
            if let address { state.byAddress[address, default: []].append(id) }
            if state.order.count > 2 * limits.total {
                state.order.removeAll { state.channels[$0] == nil }
            }
            return (id, displaced)
        }
        displaced?.close(promise: nil)
        return id
    }

    func remove(_ id: UInt64) { state.withLock { _ = Self.take(id, from: &$0) } }

    private static func take(_ id: UInt64, from state: inout State) -> (any Channel)? {
        guard let entry = state.channels.removeValue(forKey: id) else { return nil }
        if let address = entry.address {
            state.byAddress[address]?.removeAll { $0 == id }
            if state.byAddress[address]?.isEmpty == true { state.byAddress[address] = nil }
        }
        if state.order.first == id { state.order.removeFirst() }
        return entry.channel
    }
}
