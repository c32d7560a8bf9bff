package import NetTypes
package import PortMappingMessages

/// Gets a port of the gateway forwarded to ours, and keeps it.
///
/// Three protocols are raced: PCP (RFC 6887), NAT-PMP (RFC 6886), UPnP IGD. All are asked whether they
/// are there; the best that answers in time is asked for the port, the next when it refuses. A mapping
/// is renewed at half its life, at once when the gateway's epoch shows a restart, and removed by
/// `release`. IPv6 is the same thing to another gateway address: there the firewall is opened.
///
/// Nothing that a gateway says is trusted further than it must: answers count only from its address,
/// its UPnP documents lead nowhere but to itself, and an external address that cannot be one is a
/// refusal. Where all refuse or none answers, it is asked again ever more rarely.
///
/// One value with one owner: after each input drain `pollTransmit` and `pollEvent`, then sleep until
/// `nextDeadline`.
package struct PortMappingEngine<Random: RandomNumberGenerator>: ~Copyable {
    private var random: Random
    private let memory: PortMappingMemory
    private var isEnabled = true
    private var isReleasing = false
    private var links: [GatewayLink] = []
    private var sides: [GatewaySide] = []
    private var output = PortMappingOutput()
    private var events: [PortMappingEvent] = []
    private var reported = PortMappingStatus()

    /// `random` chooses external ports where the wish is refused.
    package init(memory: PortMappingMemory, random: Random) {
        self.memory = memory
        self.random = random
    }

    package mutating func pollTransmit() -> PortMappingTransmit? { output.next() }
    package mutating func pollEvent() -> PortMappingEvent? {
        events.isEmpty ? nil : events.removeFirst()
    }
    package var nextDeadline: MonotonicInstant? {
        sides.reduce(nil) { earliest($0, $1.nextDeadline) }
    }
    package var status: PortMappingStatus {
        var status = PortMappingStatus()
        for side in sides { side.describe(into: &status) }
        return status
    }

    // MARK: Inputs

    /// The gateways to ask, at most one for each family. One that is known is asked whether it still
    /// has our mapping; what another had is forgotten.
    package mutating func setLinks(_ links: [GatewayLink], at now: MonotonicInstant) {
        self.links = links.filter(\.isWorthAsking)
        rebuild(at: now)
    }

    /// Off: what is mapped is removed and nobody is asked.
    package mutating func setEnabled(_ isEnabled: Bool, at now: MonotonicInstant) {
        guard isEnabled != self.isEnabled else { return }
        self.isEnabled = isEnabled
        if isEnabled { return rebuild(at: now) }
        for index in sides.indices { sides[index].release(at: now, into: &output) }
        report()
    }

    /// Removes what is mapped. Go on with datagrams and time until `isReleased`.
    package mutating func release(at now: MonotonicInstant) {
        isReleasing = true
        for index in sides.indices { sides[index].release(at: now, into: &output) }
        report()
    }

    /// Nothing is mapped any more, as far as the gateways let us know.
    package var isReleased: Bool { sides.allSatisfy(\.isReleased) }

    /// A datagram to one of the sockets that this engine sends from or that hears announcements.
    package mutating func receive(
        _ datagram: RawSpan, from source: Endpoint, at now: MonotonicInstant
    ) {
        let index = sides.firstIndex { $0.link.gateway == source.address }
        guard let index else { return }
        sides[index].receive(datagram, from: source, at: now, into: &output)
        settle(at: now)
    }

    /// The answer to an exchange; nil when it failed.
    package mutating func handleExchange(
        id: Int, _ response: HTTPResponse?, at now: MonotonicInstant
    ) {
        for index in sides.indices where sides[index].upnp.exchange?.id == id {
            sides[index].handleExchange(response, random: &random, at: now, into: &output)
        }
        settle(at: now)
    }

    package mutating func handleTimeout(at now: MonotonicInstant) {
        for index in sides.indices {
            sides[index].handleTimeout(random: &random, at: now, into: &output)
        }
        settle(at: now)
    }

    // MARK: Details

    private mutating func rebuild(at now: MonotonicInstant) {
        guard isEnabled, !isReleasing else { return }
        for side in sides where !links.contains(side.link) { side.abandon(into: &output) }
        sides = links.map { link in
            let known = sides.first { $0.link == link && !$0.isReleased }
            return known ?? GatewaySide(link, memory)
        }
        for index in sides.indices { sides[index].begin(at: now, into: &output) }
        settle(at: now)
    }

    private mutating func settle(at now: MonotonicInstant) {
        // Where the switch was thrown back while the old mappings were being removed.
        if isEnabled, !isReleasing, sides.contains(where: \.isReleased) { rebuild(at: now) }
        report()
    }

    private mutating func report() {
        let status = status
        guard status != reported else { return }
        reported = status
        // Only the newest matters.
        events = [.changed(status)]
    }
}

/// What the parts of the engine want sent.
struct PortMappingOutput {
    private var transmits: [PortMappingTransmit] = []
    private var lastID = 0

    mutating func send(_ bytes: [UInt8], to endpoint: Endpoint) {
        transmits.append(.datagram(bytes, to: endpoint))
    }
    /// Returns the number of the exchange.
    mutating func exchange(_ request: [UInt8], with endpoint: Endpoint) -> Int {
        lastID += 1
        transmits.append(.exchange(id: lastID, to: endpoint, request: request))
        return lastID
    }
    mutating func abandon(_ id: Int) { transmits.append(.abandon(id: id)) }
    mutating func next() -> PortMappingTransmit? {
        transmits.isEmpty ? nil : transmits.removeFirst()
    }
}
