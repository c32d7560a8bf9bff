package import CryptoPrimitives
package import Disco
package import NetTypes

/// Relays UDP between pairs of nodes that cannot reach each other but can both reach this one
/// (Tailscale's peer relays, capability version 121).
///
/// **Allocation.** One of two nodes asks for a way between them; both are named by disco keys. It
/// gets a *virtual network*, a number of 24 bits that the Geneve header of each packet carries, and
/// the addresses of this server. The same pair gets the same allocation again. A Lamport ID, higher
/// for each new one, tells the pair which of several is the latest. Who may ask is the caller's
/// decision; how much anyone can have is bounded here.
///
/// **Binding.** Each client binds the address that it sends from: a sealed request is answered by a
/// challenge, a keyed hash of the request and its source, and whoever returns that in time is there.
/// Nothing is kept for a challenge, and it is no longer than the request, so that a forged source
/// earns no more than what was sent. A client that moves binds again; what a listener has recorded
/// binds no other address.
///
/// **Forwarding.** A packet from one bound address goes to the other, as it is. Everything else is
/// dropped and counted. The relay cannot read what it carries.
///
/// **Ends.** An allocation to which not both have bound lives for 30 s since it was last asked for, a
/// bound one for five minutes since the last packet of either client.
///
/// **Driving it.** One owner. `handle` is for every datagram: constant time, and no memory is
/// allocated for one that is forwarded. Call `handleTimeout` when `nextDeadline` has come.
package struct PeerRelayServer<Random: RandomNumberGenerator>: ~Copyable {
    /// 24 bits; 0 is none.
    static var lastNetwork: UInt32 { (1 << 24) - 1 }
    static var sweepInterval: Nanoseconds { .seconds(30) }
    /// More addresses than that help no client.
    static var endpointsMax: Int { 16 }

    package let key: PrivateKey<DiscoKind>
    let limits: PeerRelayLimits
    var random: Random
    var secrets: ChallengeSecrets

    /// By virtual network.
    var allocations: [UInt32: Allocation] = [:]
    var networks: [ClientPair: UInt32] = [:]
    var heldCounts: [DiscoKey: Int] = [:]
    private var nextNetwork: UInt32
    private var lastLamportID: UInt64 = 0
    private var sweepAt: MonotonicInstant?
    private var ownEndpoints: [Endpoint] = []
    package internal(set) var counters = PeerRelayCounters()

    /// `key` belongs to this server alone and is made anew at each start. `random` makes nonces and
    /// secrets: outside of tests it must be `SecureRandom`.
    package init(
        key: PrivateKey<DiscoKind>, limits: PeerRelayLimits = PeerRelayLimits(),
        random: consuming Random
    ) {
        self.key = key
        self.limits = limits
        self.random = random
        secrets = ChallengeSecrets(random: &self.random)
        nextNetwork = 1 + UInt32.random(in: 0..<Self.lastNetwork, using: &self.random)
    }

    /// Where clients reach the server, best first. What has been allocated stays as it is.
    package mutating func setEndpoints(_ endpoints: [Endpoint]) {
        ownEndpoints = Array(endpoints.prefix(Self.endpointsMax))
    }

    package var endpoints: [Endpoint] { ownEndpoints }
    package var allocationCount: Int { allocations.count }

    /// When `handleTimeout` is due; nil while nothing is allocated.
    package var nextDeadline: MonotonicInstant? { sweepAt }

    /// Forgets what has expired.
    package mutating func handleTimeout(at now: MonotonicInstant) {
        guard let due = sweepAt, due <= now else { return }
        secrets.rotate(at: now, random: &random)
        // The order is of no consequence.
        let expired = allocations.values.filter { $0.isExpired(at: now, limits) }
        for allocation in expired { remove(allocation) }
        sweepAt = allocations.isEmpty ? nil : now + Self.sweepInterval
    }

    private mutating func remove(_ allocation: Allocation) {
        counters.expired += 1
        allocations[allocation.virtualNetwork] = nil
        networks[allocation.clients] = nil
        let left = (heldCounts[allocation.requester] ?? 1) - 1
        heldCounts[allocation.requester] = left > 0 ? left : nil
    }

    // MARK: Allocation

    /// A way between two clients, one of which is `requester`: a new one, or the one they have.
    package mutating func allocate(
        clients: [DiscoKey], requester: DiscoKey, at now: MonotonicInstant
    ) throws(PeerRelayRefusal) -> DiscoMessage.RelayEndpoint {
        do throws(PeerRelayRefusal) {
            return try find(clients: clients, requester: requester, at: now)
        } catch {
            counters.refused += 1
            throw error
        }
    }

    private mutating func find(
        clients: [DiscoKey], requester: DiscoKey, at now: MonotonicInstant
    ) throws(PeerRelayRefusal) -> DiscoMessage.RelayEndpoint {
        guard let pair = ClientPair(clients), clients.contains(requester),
            !clients.contains(key.publicKey)
        else { throw .badClients }
        guard !ownEndpoints.isEmpty else { throw .noEndpoints }
        if let network = networks[pair], let known = allocations[network] {
            guard known.isExpired(at: now, limits) else {
                allocations[network]?.offeredAt = now
                return offer(known)
            }
            remove(known)
        }
        guard heldCounts[requester, default: 0] < limits.allocationsPerClientMax else {
            throw .clientFull
        }
        guard allocations.count < min(limits.allocationsMax, Int(Self.lastNetwork)) else {
            throw .serverFull
        }
        // Made before anything is kept: a key may be a point of small order.
        guard let first = DiscoBox(own: key, peer: pair.first),
            let second = DiscoBox(own: key, peer: pair.second)
        else { throw .badClients }
        lastLamportID += 1
        let allocation = Allocation(
            clients: pair, requester: requester, virtualNetwork: takeNetwork(),
            lamportID: lastLamportID,
            sides: (
                Allocation.Side(client: pair.first, box: first),
                Allocation.Side(client: pair.second, box: second)
            ), offeredAt: now, lastSeenAt: now)
        allocations[allocation.virtualNetwork] = allocation
        networks[pair] = allocation.virtualNetwork
        heldCounts[requester, default: 0] += 1
        counters.allocated += 1
        if sweepAt == nil { sweepAt = now + Self.sweepInterval }
        return offer(allocation)
    }

    /// The next number that is free; there is one.
    private mutating func takeNetwork() -> UInt32 {
        while true {
            let network = nextNetwork
            nextNetwork = network == Self.lastNetwork ? 1 : network + 1
            if allocations[network] == nil { return network }
        }
    }

    private func offer(_ allocation: Allocation) -> DiscoMessage.RelayEndpoint {
        DiscoMessage.RelayEndpoint(
            server: key.publicKey, clients: allocation.clients.list,
            lamportID: allocation.lamportID, virtualNetwork: allocation.virtualNetwork,
            bindLifetime: limits.bindLifetime, steadyStateLifetime: limits.steadyStateLifetime,
            endpoints: ownEndpoints)
    }
}
