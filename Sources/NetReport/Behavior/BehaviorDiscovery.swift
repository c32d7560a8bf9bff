import NetTypes
import STUN

/// Finds out what the NAT in our way does with IPv4, by sending from a few fresh sockets (RFC 5780
/// §4, RFC 4787).
///
/// The node's own socket is of no use here: its filters have been opened by what it sent before.
/// Six sockets ask the nearest server one after the other, which shows how outside ports are chosen.
/// The first also asks the other servers and, where the nearest one has them, its other port and
/// address: whether it is seen as the same endpoint everywhere is what the mapping depends on. The
/// second asks for answers from the other port and address, to which it never sent: what comes
/// through is what the filter lets in. Last, the third and fourth send to each other's outside
/// endpoint, which arrives where the NAT hairpins.
///
/// Each request is sent up to four times. Where no answer is the answer, that takes 1.5 s; all of it
/// is over after 4 s at most and costs about 60 small packets.
struct BehaviorDiscovery {
    /// How many sockets are asked for. With fewer than two nothing is found out.
    static var socketCount: Int { 6 }
    private static var mappingSocket: Int { 0 }
    private static var filteringSocket: Int { 1 }
    private static let hairpinSockets = (2, 3)

    private static let retryDelays: [Nanoseconds] = [
        .zero, .milliseconds(150), .milliseconds(400), .milliseconds(800),
    ]
    /// How long the last try may take.
    private static var patience: Nanoseconds { .milliseconds(700) }
    /// Between the first packets of two sockets: they must not overtake each other.
    private static var spacing: Nanoseconds { .milliseconds(10) }
    /// All is over after this.
    static var durationMax: Nanoseconds { .seconds(4) }

    enum Purpose: Equatable {
        /// A plain request of a socket to a server.
        case mapping(socket: Int, server: Endpoint)
        /// To the filtering socket, from where it never sent.
        case filtering(STUNChange)
        /// To the outside endpoint of another socket.
        case hairpin(from: Int, to: Int)
    }

    struct Task {
        let purpose: Purpose
        let destination: Endpoint
        let id: STUNTransactionID
        let change: STUNChange?
        let startAt: MonotonicInstant
        var tries = 0
        var isDone = false

        var socket: Int {
            switch purpose {
            case .mapping(let socket, _), .hairpin(let socket, _): socket
            case .filtering: BehaviorDiscovery.filteringSocket
            }
        }
        var nextAt: MonotonicInstant {
            startAt
                + (tries < BehaviorDiscovery.retryDelays.count
                    ? BehaviorDiscovery.retryDelays[tries]
                    : BehaviorDiscovery.retryDelays[tries - 1] + BehaviorDiscovery.patience)
        }
        var isOver: Bool { tries == BehaviorDiscovery.retryDelays.count }
    }

    private let endAt: MonotonicInstant
    private let servers: [Endpoint]
    private let ports: [UInt16]
    private(set) var tasks: [Task] = []
    private(set) var evidence = BehaviorEvidence()
    /// The server whose other port and address are used, once there is one.
    private var capable: Endpoint?

    /// `servers` have answered before, nearest first. `ports` are those of the sockets, at least two.
    init(
        servers: [Endpoint], ports: [UInt16], at now: MonotonicInstant,
        random: inout some RandomNumberGenerator
    ) {
        endAt = now + Self.durationMax
        self.servers = servers
        self.ports = ports
        evidence.localPorts = ports
        guard let nearest = servers.first else { return }
        for socket in ports.indices {
            add(
                .mapping(socket: socket, server: nearest), nearest, change: [],
                at: now + Self.spacing * Int64(socket), &random)
        }
        for server in servers.dropFirst() {
            add(
                .mapping(socket: Self.mappingSocket, server: server), server, change: [],
                at: now + Self.spacing * Int64(ports.count), &random)
        }
    }

    private mutating func add(
        _ purpose: Purpose, _ destination: Endpoint, change: STUNChange?,
        at start: MonotonicInstant,
        _ random: inout some RandomNumberGenerator
    ) {
        tasks.append(
            Task(
                purpose: purpose, destination: destination, id: STUNTransactionID(random: &random),
                change: change, startAt: start))
    }

    var isComplete: Bool { tasks.allSatisfy(\.isDone) }

    var nextDeadline: MonotonicInstant {
        tasks.reduce(endAt) { $1.isDone ? $0 : min($0, $1.nextAt) }
    }

    /// Sends what is due.
    mutating func handleTimeout(at now: MonotonicInstant) -> [NetReportTransmit] {
        var transmits: [NetReportTransmit] = []
        for index in tasks.indices where !tasks[index].isDone && tasks[index].nextAt <= now {
            if tasks[index].isOver {
                tasks[index].isDone = true
                continue
            }
            tasks[index].tries += 1
            let task = tasks[index]
            transmits.append(
                NetReportTransmit(
                    destination: task.destination,
                    bytes: STUNRequest.encode(task.id, change: task.change),
                    probeSocket: task.socket))
        }
        if now >= endAt { for index in tasks.indices { tasks[index].isDone = true } }
        return transmits
    }

    // MARK: Answers

    mutating func handleDatagram(
        _ datagram: RawSpan, on socket: Int, from source: Endpoint, at now: MonotonicInstant,
        random: inout some RandomNumberGenerator
    ) {
        if let id = STUNRequest.transactionID(of: datagram) {
            guard let index = tasks.firstIndex(where: { $0.id == id }),
                case .hairpin(_, let to) = tasks[index].purpose, to == socket
            else { return }
            evidence.hairpins = true
            for index in tasks.indices {
                if case .hairpin = tasks[index].purpose { tasks[index].isDone = true }
            }
            return
        }
        // What is no STUN is nothing to us.
        if let response = try? STUNResponse(datagram) {
            take(response, on: socket, from: source, at: now, random: &random)
        } else if let refusal = try? STUNErrorResponse(datagram) {
            take(refusal, at: now, random: &random)
        }
    }

    private mutating func take(
        _ response: STUNResponse, on socket: Int, from source: Endpoint,
        at now: MonotonicInstant, random: inout some RandomNumberGenerator
    ) {
        guard
            let index = tasks.firstIndex(where: {
                $0.id == response.id && $0.socket == socket && !$0.isDone
            }), response.mappedEndpoint.address.isIPv4, response.mappedEndpoint.port != 0
        else { return }
        switch tasks[index].purpose {
        case .mapping(_, let server):
            guard source == server else { return }
            tasks[index].isDone = true
            evidence.mappings.append(
                .init(socket: socket, server: server, mapped: response.mappedEndpoint))
            noteCapability(of: server, response, at: now, &random)
            startHairpin(at: now, &random)
        case .filtering(let change):
            // An answer from where we asked is one of a server that cannot change.
            guard source != tasks[index].destination else { return }
            tasks[index].isDone = true
            evidence.filterPassed.formUnion(
                source.address == tasks[index].destination.address ? .port : change)
            if change.contains(.address) { finishFiltering() }
        case .hairpin: return
        }
    }

    /// A server without CHANGE-REQUEST may refuse one that asks for nothing: it is asked without.
    private mutating func take(
        _ refusal: STUNErrorResponse, at now: MonotonicInstant,
        random: inout some RandomNumberGenerator
    ) {
        guard let index = tasks.firstIndex(where: { $0.id == refusal.id && !$0.isDone }) else {
            return
        }
        tasks[index].isDone = true
        guard case .mapping = tasks[index].purpose, tasks[index].change != nil else { return }
        add(tasks[index].purpose, tasks[index].destination, change: nil, at: now, &random)
    }

    private mutating func finishFiltering() {
        for index in tasks.indices {
            if case .filtering = tasks[index].purpose { tasks[index].isDone = true }
        }
    }

    /// The first server that answers from elsewhere when asked is used for the rest. One address has
    /// no OTHER-ADDRESS that could name the other port; it is the next one by custom.
    private mutating func noteCapability(
        of server: Endpoint, _ response: STUNResponse, at now: MonotonicInstant,
        _ random: inout some RandomNumberGenerator
    ) {
        guard capable == nil, let nearest = servers.first, servers.contains(server),
            response.origin != nil, server.port < .max
        else { return }
        let other = response.other.flatMap { $0.address.isIPv4 ? $0 : nil }
        // The filtering socket has sent to the nearest server: that must not be the other address.
        guard server == nearest || other?.address != nearest.address else { return }
        capable = server
        evidence.hasAlternateAddress = other != nil
        let otherPort = other?.port ?? server.port + 1
        var alternates = [Endpoint(server.address, port: otherPort)]
        if let other {
            alternates += [Endpoint(other.address, port: server.port), other]
        }
        for alternate in alternates where !servers.contains(alternate) {
            add(
                .mapping(socket: Self.mappingSocket, server: alternate), alternate, change: nil,
                at: now, &random)
        }
        evidence.alternates = alternates
        if other != nil {
            add(
                .filtering([.address, .port]), server, change: [.address, .port], at: now, &random)
        }
        add(.filtering(.port), server, change: .port, at: now, &random)
    }

    private mutating func startHairpin(
        at now: MonotonicInstant, _ random: inout some RandomNumberGenerator
    ) {
        let (one, two) = Self.hairpinSockets
        guard !tasks.contains(where: { if case .hairpin = $0.purpose { true } else { false } }),
            let nearest = servers.first, let first = evidence.mapped(one, at: nearest),
            let second = evidence.mapped(two, at: nearest)
        else { return }
        evidence.didTryHairpin = true
        add(.hairpin(from: one, to: two), second, change: nil, at: now, &random)
        add(.hairpin(from: two, to: one), first, change: nil, at: now, &random)
    }
}
