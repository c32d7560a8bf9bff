import Disco
package import NetTypes
import STUN

// Direct paths through NATs that give each destination a port of its own ("hard", RFC 4787 §4.1).
//
// Behind such a NAT nobody knows the port at which a peer will see us. If the peer's NAT lets in only
// who has been written to, address and port, neither side can write first. The way out is the
// birthday paradox: the hard side sends from many sockets to the peer's one port, which makes as many
// mappings, and the peer pings many ports of the hard side's address. The first ping that meets a
// mapping gets through, and so does its answer. `HardNATTiming` has the sum, the rates and the limits.
//
// 1. *Wanted.* A CallMeMaybe, ours or the peer's, says that there is no direct path. If there is
//    still none after a grace and our NAT is hard, an attempt begins: one at a time.
// 2. *Sampling.* A few fresh sockets ask a STUN server. The answers show how ports are chosen: one
//    after the other, within a block, or anyhow.
// 3. *Asking.* By relay the peer is told where our mappings will lie (`HardNATMessage`). It answers
//    with its own port, and begins to probe. One that does not answer is no Skein node: if the ports
//    can be foreseen they are offered in a CallMeMaybe, which every client follows.
// 4. *Opening.* Sockets send a ping each. The first on which the peer is heard becomes the way to
//    it (`HardNAT.Binding`); when a pong has proven the path the others are closed.
//
// Two hard sides can meet when both choose ports one after the other: each aims, from several
// sockets, at the port that the other expects to get in the middle.
//
// The side that probes sends to nobody but an address which the peer has announced, one peer at a
// time, and no more than `HardNATTiming.probesMax` packets in two minutes for all its peers together.
extension PathEngine {
    /// Switches the search through hard NATs on or off. It is on at first.
    package mutating func setHardNAT(isEnabled: Bool) {
        guard isEnabled != hardNAT.isEnabled else { return }
        hardNAT.isEnabled = isEnabled
        if !isEnabled { hardNAT.forgetAll() }
        for index in peers.indices { peers[index]?.hardNAT.forgetFailures() }
    }

    /// Whom searches have found in earlier lives of this node. Call it before peers are added.
    package mutating func setHardNATSuccesses(_ keys: Set<NodeKey>) { hardNAT.successes = keys }

    /// Where STUN questions of further sockets go: to the first, and to a second one at another address,
    /// or at least another port, where it is not known how our NAT maps.
    package mutating func setSTUNServers(_ servers: [Endpoint]) {
        let usable = servers.filter(\.address.isIPv4)
        guard let first = usable.first else {
            hardNAT.stunServers = []
            return
        }
        let second =
            usable.first { $0.address != first.address } ?? usable.first { $0 != first }
        hardNAT.stunServers = [first] + (second.map { [$0] } ?? [])
    }

    /// The next socket to close; call until nil. A number that is not open is none.
    package mutating func pollSocketClosure() -> LocalSocket? { hardNAT.closures.popFirst() }

    /// The socket by which packets to the endpoint leave.
    @inline(__always)
    package func localSocket(to endpoint: Endpoint) -> LocalSocket {
        hardNAT.socket(to: endpoint)
    }

    /// The driver has opened a socket, bound to this port.
    package mutating func noteSocketOpened(_ socket: LocalSocket, port: UInt16) {
        hardNAT.opening?.samples.noteOpened(socket, port: port)
    }

    /// No socket could be opened: there are too many.
    package mutating func noteSocketFailed(_ socket: LocalSocket) {
        hardNAT.opening?.spare.removeAll { $0 == socket }
        hardNAT.opening?.sockets.removeAll { $0 == socket }
        hardNAT.opening?.openNoMore()
    }

    /// A STUN message came on a socket that is not a main one.
    package mutating func handleSTUN(
        _ datagram: RawSpan, by socket: LocalSocket, at now: MonotonicInstant
    ) {
        guard hardNAT.opening?.phase == .sampling else { return }
        do throws(STUNMessage.ParseError) {
            let response = try STUNResponse(datagram)
            guard hardNAT.opening?.samples.note(response, by: socket) == true else { return }
        } catch {
            drop(.malformed)
            return
        }
        if hardNAT.opening?.samples.isComplete == true { endSampling(at: now) }
    }

    // MARK: Hooks

    /// Whether the NAT in our way gives each destination a port of its own; nil: not known.
    var hasHardNAT: Bool? {
        switch natBehavior.mapping {
        case .addressDependent, .addressAndPortDependent: true
        case .endpointIndependent: false
        case nil: ownEndpoints.hasVaryingMapping ? true : hardNAT.sampledVariation
        }
    }
    var isBehindHardNAT: Bool { hasHardNAT == true }

    /// Whether it is, or may be and can be found out.
    var mayBeBehindHardNAT: Bool {
        hasHardNAT
            ?? (hardNAT.stunServers.count > 1 && ownEndpoints.prospects.reachesIPv4)
    }

    /// One side says by CallMeMaybe that it has no direct path to the other.
    mutating func noteDirectWanted(_ index: Int, at now: MonotonicInstant) {
        guard mayBeBehindHardNAT, let peer = peers[index], peer.canProbe, peer.relayRegion != nil,
            !peer.isDirect(at: now), !peer.isHopeless
        else { return }
        guard hardNAT.opening?.peer != index else { return }
        guard hardNAT.isEnabled else { return tellSwitchedOff(index, at: now) }
        peers[index]?.hardNAT.wantedAt = now
        let grace =
            peer.hardNAT.hasSucceeded ? HardNATTiming.knownGrace : HardNATTiming.grace
        let due = max(now + grace, peer.hardNAT.notBefore)
        if due - now < HardNATTiming.wantedLifetime { hardNAT.want(index, at: due) }
    }

    /// The peer cannot know why no request comes, unless it is told now and then.
    private mutating func tellSwitchedOff(_ index: Int, at now: MonotonicInstant) {
        peers[index]?.hardNAT.obstacle = .switchedOff(.own)
        guard isBehindHardNAT, let toldAt = peers[index]?.hardNAT.toldOffAt,
            toldAt == .never || now - toldAt >= HardNATTiming.hopelessRetry
        else { return }
        peers[index]?.hardNAT.toldOffAt = now
        sendHardNAT(.decline, attempt: 0, refusal: .switchedOff, to: index)
    }

    /// A valid ping of the peer came from `endpoint`, on a socket of an attempt or a path.
    mutating func noteHeard(
        from endpoint: Endpoint, of index: Int, by socket: LocalSocket, at now: MonotonicInstant
    ) {
        guard !socket.isMain, hardNAT.owner(of: socket) == index else { return }
        guard hardNAT.opening?.target == endpoint || hardNAT.isInUse(socket) else { return }
        hardNAT.bind(endpoint, to: socket, peer: index, at: now)
    }

    /// Takes the pong to a ping of an attempt. Returns whether it was one.
    mutating func takePongOfAttempt(
        _ id: PingID, of index: Int, seen: Endpoint, at now: MonotonicInstant
    ) -> Bool {
        if hardNAT.probing?.peer == index, let probe = hardNAT.probing?.take(id) {
            notePongOfAttempt(from: probe.endpoint, roundTrip: now - probe.sentAt, index, at: now)
            return true
        }
        guard hardNAT.opening?.peer == index, let target = hardNAT.opening?.target,
            let opened = hardNAT.opening?.pings.removeValue(forKey: id)
        else { return false }
        hardNAT.bind(target, to: opened.socket, peer: index, at: now)
        if let position = hardNAT.bindings.firstIndex(where: { $0.socket == opened.socket }) {
            hardNAT.bindings[position].mapped = seen
        }
        notePongOfAttempt(from: target, roundTrip: now - opened.sentAt, index, at: now)
        return true
    }

    private mutating func notePongOfAttempt(
        from endpoint: Endpoint, roundTrip: Nanoseconds, _ index: Int, at now: MonotonicInstant
    ) {
        peers[index]?.noteProvenByAttempt(
            endpoint, roundTrip: roundTrip, at: now, into: &actions)
        perform(for: index, at: now)
        reschedule(index, at: now)
    }

    /// Endpoints to be named in a CallMeMaybe to the peer beside our own: the mapping of its path.
    func extraEndpoints(for index: Int) -> [Endpoint] {
        hardNAT.bindings.filter { $0.peer == index }.compactMap(\.mapped)
    }

    // MARK: Time

    mutating func serviceHardNAT(at now: MonotonicInstant) {
        guard let due = hardNAT.nextDeadline, due <= now else { return }
        serviceWanted(at: now)
        serviceOpening(at: now)
        serviceProbing(at: now)
        serviceSockets(at: now)
    }

    private mutating func serviceWanted(at now: MonotonicInstant) {
        var position = 0
        while position < hardNAT.wanted.count {
            let entry = hardNAT.wanted[position]
            guard entry.dueAt <= now else {
                position += 1
                continue
            }
            if isStillWanted(entry.peer, at: now) {
                if hardNAT.opening != nil {
                    hardNAT.wanted[position].dueAt = now + .seconds(1)
                    position += 1
                    continue
                }
                startAttempt(with: entry.peer, at: now)
            }
            hardNAT.wanted.remove(at: position)
        }
    }

    private func isStillWanted(_ index: Int, at now: MonotonicInstant) -> Bool {
        guard let peer = peers[index], peer.canProbe, !peer.isDirect(at: now), mayBeBehindHardNAT
        else { return false }
        return now - peer.hardNAT.wantedAt < HardNATTiming.wantedLifetime
            && now >= peer.hardNAT.notBefore
    }

    /// Closes sockets that are of no use any more.
    private mutating func serviceSockets(at now: MonotonicInstant) {
        guard let due = hardNAT.checkAt, due <= now else { return }
        for position in hardNAT.bindings.indices {
            let binding = hardNAT.bindings[position]
            guard let peer = peers[binding.peer] else { continue }
            if peer.selection.endpoint == binding.endpoint {
                let idleSince = max(peer.activity.lastSentAt, peer.activity.lastReceivedAt)
                let grace = HardNATTiming.idleLifetime - HardNATTiming.disusedLifetime
                if now - idleSince < grace { hardNAT.bindings[position].lastUsedAt = now }
            }
        }
        for binding in hardNAT.bindings
        where now - binding.lastUsedAt >= HardNATTiming.disusedLifetime {
            hardNAT.release(binding.peer)
        }
        for hit in hardNAT.hits where now - hit.lastHeardAt >= HardNATTiming.hitLifetime {
            hardNAT.closures.append(hit.socket)
        }
        hardNAT.hits.removeAll { now - $0.lastHeardAt >= HardNATTiming.hitLifetime }
        let isIdle = hardNAT.bindings.isEmpty && hardNAT.hits.isEmpty
        hardNAT.checkAt = isIdle ? nil : now + HardNATTiming.checkInterval
    }
}

extension Peer {
    /// A pong has proven a path that an attempt found.
    mutating func noteProvenByAttempt(
        _ endpoint: Endpoint, roundTrip: Nanoseconds, at now: MonotonicInstant,
        into actions: inout [PeerAction]
    ) {
        _ = candidates.observe(endpoint, keeping: selection.endpoint, at: now)
        notePong(from: endpoint, roundTrip: roundTrip, at: now, into: &actions)
    }
}
