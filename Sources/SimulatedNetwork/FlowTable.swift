import NetTypes

/// The state of a NAT, or of a stateful firewall: which inside endpoint an outside one stands for,
/// and who may send to it.
///
/// A *mapping* ties an inside endpoint to an outside one, for all remotes or for some, as RFC 4787
/// §4.1 has it. A *flow* is what filtering knows: a mapping, and the remote as far as filtering
/// depends on it (§5). Flows expire, and count against the capacity; a mapping lives as long as it
/// has one. Every step takes constant time, whatever the size of the table.
struct FlowTable {
    /// A remote, as far as something depends on it.
    enum Scope: Hashable {
        case any
        case address(IPAddress)
        case endpoint(Endpoint)

        init(_ dependence: NATBehavior.Dependence, _ remote: Endpoint) {
            self =
                switch dependence {
                case .endpointIndependent: .any
                case .addressDependent: .address(remote.address)
                case .addressAndPortDependent: .endpoint(remote)
                }
        }
    }

    struct MappingKey: Hashable {
        let inside: Endpoint
        let scope: Scope
    }

    private struct Mapping {
        let key: MappingKey
        let outside: Endpoint
        var flowCount = 0
    }

    private struct FlowKey: Hashable {
        let mapping: Int
        let scope: Scope
    }

    private struct Flow {
        let key: FlowKey
        var lastUsedAt: MonotonicInstant
        /// Neighbours in the order of last use, by slot.
        var older: Int?
        var newer: Int?
    }

    private var mappings: [Mapping] = []
    private var freeMappings: [Int] = []
    private var mappingsByKey: [MappingKey: Int] = [:]
    private var mappingsByOutside: [Endpoint: Int] = [:]

    private var flows: [Flow] = []
    private var freeFlows: [Int] = []
    private var flowsByKey: [FlowKey: Int] = [:]
    private var oldest: Int?
    private var newest: Int?

    /// Ports of mappings that have expired.
    private(set) var formerPorts: [MappingKey: UInt16] = [:]

    var flowCount: Int { flowsByKey.count }
    var mappingCount: Int { mappingsByKey.count }

    func isFree(_ outside: Endpoint) -> Bool { mappingsByOutside[outside] == nil }

    func outside(of key: MappingKey) -> Endpoint? {
        mappingsByKey[key].map { mappings[$0].outside }
    }

    // MARK: Changes

    /// A packet goes out by the mapping of `key`, whose outside is `outside` where it is new.
    mutating func noteOutbound(
        _ key: MappingKey, outside: Endpoint, filter scope: Scope, at now: MonotonicInstant
    ) {
        let mapping =
            mappingsByKey[key] ?? insert(Mapping(key: key, outside: outside))
        let flowKey = FlowKey(mapping: mapping, scope: scope)
        if let flow = flowsByKey[flowKey] {
            touch(flow, at: now)
        } else {
            insert(flowKey, at: now)
        }
    }

    func hasFlow(of key: MappingKey, filter scope: Scope) -> Bool {
        guard let mapping = mappingsByKey[key] else { return false }
        return flowsByKey[FlowKey(mapping: mapping, scope: scope)] != nil
    }

    /// A packet comes in for `outside`: the inside endpoint, when the filter lets it pass.
    mutating func admit(
        to outside: Endpoint, filter scope: Scope, refreshes: Bool, at now: MonotonicInstant
    ) -> Endpoint? {
        guard let mapping = mappingsByOutside[outside],
            let flow = flowsByKey[FlowKey(mapping: mapping, scope: scope)]
        else { return nil }
        if refreshes { touch(flow, at: now) }
        return mappings[mapping].key.inside
    }

    mutating func expire(before limit: MonotonicInstant) {
        while let oldest, flows[oldest].lastUsedAt < limit { remove(oldest) }
    }

    mutating func forgetOldest() {
        if let oldest { remove(oldest) }
    }

    // MARK: Storage

    private mutating func insert(_ mapping: Mapping) -> Int {
        let slot: Int
        if let free = freeMappings.popLast() {
            slot = free
            mappings[slot] = mapping
        } else {
            slot = mappings.count
            mappings.append(mapping)
        }
        mappingsByKey[mapping.key] = slot
        mappingsByOutside[mapping.outside] = slot
        return slot
    }

    private mutating func insert(_ key: FlowKey, at now: MonotonicInstant) {
        let flow = Flow(key: key, lastUsedAt: now)
        let slot: Int
        if let free = freeFlows.popLast() {
            slot = free
            flows[slot] = flow
        } else {
            slot = flows.count
            flows.append(flow)
        }
        flowsByKey[key] = slot
        mappings[key.mapping].flowCount += 1
        appendNewest(slot)
    }

    private mutating func touch(_ slot: Int, at now: MonotonicInstant) {
        flows[slot].lastUsedAt = now
        guard newest != slot else { return }
        unlink(slot)
        appendNewest(slot)
    }

    private mutating func appendNewest(_ slot: Int) {
        flows[slot].older = newest
        flows[slot].newer = nil
        if let newest { flows[newest].newer = slot } else { oldest = slot }
        newest = slot
    }

    private mutating func unlink(_ slot: Int) {
        let (older, newer) = (flows[slot].older, flows[slot].newer)
        if let older { flows[older].newer = newer } else { oldest = newer }
        if let newer { flows[newer].older = older } else { newest = older }
    }

    private mutating func remove(_ slot: Int) {
        let key = flows[slot].key
        unlink(slot)
        flowsByKey[key] = nil
        freeFlows.append(slot)
        mappings[key.mapping].flowCount -= 1
        guard mappings[key.mapping].flowCount == 0 else { return }
        let mapping = mappings[key.mapping]
        mappingsByKey[mapping.key] = nil
        mappingsByOutside[mapping.outside] = nil
        freeMappings.append(key.mapping)
        formerPorts[mapping.key] = mapping.outside.port
    }
}
