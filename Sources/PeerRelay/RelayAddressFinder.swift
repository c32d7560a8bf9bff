package import NetTypes
internal import STUN

/// Finds out where clients can reach this node's relay: at addresses that were set by hand, as STUN
/// servers see its sockets, and at the addresses of its interfaces.
///
/// The servers are asked when something has changed, every 25 s while somebody uses the relay, so that
/// a NAT keeps its mapping, and every five minutes otherwise. What is known stays until it is
/// contradicted: a lost answer must not make the relay unknown.
package struct RelayAddressFinder<Random: RandomNumberGenerator>: ~Copyable {
    static var busyInterval: Nanoseconds { .seconds(25) }
    static var idleInterval: Nanoseconds { .minutes(5) }
    /// Servers asked at a time, and how often until one answers.
    static var serversMax: Int { 4 }
    static var retryGap: Nanoseconds { .seconds(1) }
    static var retriesMax: Int { 2 }
    static var reflexiveMax: Int { 4 }

    private var random: Random
    private var ports: (ipv4: UInt16?, ipv6: UInt16?)
    private var fixed: [Endpoint]
    private var addresses: [IPAddress] = []
    private var servers: [Endpoint] = []
    private var reflexive: [Endpoint] = []
    private var asked: [(id: STUNTransactionID, isIPv4: Bool)] = []
    private var retries = 0
    private var nextAt: MonotonicInstant?
    private var isBusy = false
    private var transmits: [(bytes: [UInt8], destination: Endpoint)] = []

    /// The ports are those that the relay's sockets are bound to.
    package init(
        ipv4Port: UInt16?, ipv6Port: UInt16?, fixed: [Endpoint], random: consuming Random
    ) {
        ports = (ipv4Port, ipv6Port)
        self.fixed = fixed
        self.random = random
    }

    /// The addresses of the interfaces, best first. What was learnt from elsewhere is asked for anew.
    package mutating func setAddresses(_ new: [IPAddress], at now: MonotonicInstant) {
        guard new != addresses else { return }
        addresses = new
        reflexive = []
        restart(at: now)
    }

    package mutating func setServers(_ new: [Endpoint], at now: MonotonicInstant) {
        let usable = Array(new.filter { canSend(to: $0) }.prefix(Self.serversMax))
        guard usable != servers else { return }
        servers = usable
        restart(at: now)
    }

    /// Whether somebody uses the relay now.
    package mutating func setBusy(_ isBusy: Bool, at now: MonotonicInstant) {
        guard isBusy != self.isBusy else { return }
        self.isBusy = isBusy
        if isBusy, let next = nextAt { nextAt = min(next, now + Self.busyInterval) }
    }

    /// Where clients are told to go, best first, without duplicates.
    package var endpoints: [Endpoint] {
        let local = addresses.compactMap { address in
            (address.isIPv4 ? ports.ipv4 : ports.ipv6).map { Endpoint(address, port: $0) }
        }
        return (fixed + reflexive + local).reduce(into: []) {
            if !$0.contains($1) { $0.append($1) }
        }
    }

    package var nextDeadline: MonotonicInstant? { nextAt }

    package mutating func handleTimeout(at now: MonotonicInstant) {
        guard let due = nextAt, due <= now else { return }
        guard !servers.isEmpty else {
            nextAt = nil
            return
        }
        if asked.isEmpty { retries = 0 } else { retries += 1 }
        if retries > Self.retriesMax {
            asked = []
            nextAt = now + (isBusy ? Self.busyInterval : Self.idleInterval)
            return
        }
        asked = []
        for server in servers {
            let id = STUNTransactionID(random: &random)
            asked.append((id, server.address.isIPv4))
            transmits.append((STUNRequest.encode(id), server))
        }
        nextAt = now + Self.retryGap
    }

    /// The next datagram to send; call until nil.
    package mutating func pollTransmit() -> (bytes: [UInt8], destination: Endpoint)? {
        transmits.isEmpty ? nil : transmits.removeFirst()
    }

    /// Takes a STUN message that came to a socket of the relay. Returns whether `endpoints` may be
    /// others now.
    package mutating func handleResponse(_ datagram: RawSpan, at now: MonotonicInstant) -> Bool {
        let response: STUNResponse
        do throws(STUNMessage.ParseError) {
            response = try STUNResponse(datagram)
        } catch {
            return false
        }
        guard let position = asked.firstIndex(where: { $0.id == response.id }) else { return false }
        let question = asked.remove(at: position)
        if asked.isEmpty { nextAt = now + (isBusy ? Self.busyInterval : Self.idleInterval) }
        let mapped = response.mappedEndpoint
        guard mapped.address.isIPv4 == question.isIPv4, !reflexive.contains(mapped) else {
            return false
        }
        reflexive.insert(mapped, at: 0)
        if reflexive.count > Self.reflexiveMax { reflexive.removeLast() }
        return true
    }

    private mutating func restart(at now: MonotonicInstant) {
        asked = []
        retries = 0
        nextAt = now
    }

    private func canSend(to server: Endpoint) -> Bool {
        (server.address.isIPv4 ? ports.ipv4 : ports.ipv6) != nil
    }
}
