import Disco
import NetReport
package import NetTypes
package import PathEngine
import STUN
import SimulatedNetwork

extension Mesh {
    // MARK: Arrivals

    func receive(_ arrival: SimulatedNetwork.Arrival) {
        switch arrival {
        case .datagram(let host, let local, let source, let payload):
            if host == stunServer { return answerSTUN(payload, local, source) }
            if answerPortMapping(payload, to: local, on: host, from: source) { return }
            if relayPayload(payload, to: local, on: host, from: source) { return }
            guard let index = node(on: host) else { return }
            if local.port == SimulatedNode.mappingPort {
                return receivePortMapping(payload, from: source, on: index)
            }
            let source = unmapped(source, for: index)
            if let probe = nodes[index].probePorts.firstIndex(of: local.port) {
                receiveProbe(payload, by: probe, from: source, on: index)
            } else if let socket = nodes[index].socket(at: local.port) {
                receive(payload, from: .direct(source), by: socket, on: index)
            }
        case .relayed(let host, let region, let key, let payload):
            guard let index = node(on: host) else { return }
            receive(payload, from: .relay(region: region, node: key), on: index)
        case .relayPeerGone(let host, let region, let key):
            guard let index = node(on: host) else { return }
            nodes[index].wakeUpCount += 1
            nodes[index].paths.noteRelayPeerGone(key, region: region)
            drain(index)
        }
    }

    /// As our server does that has one address of each family: it answers from another port where
    /// that is asked for.
    private func answerSTUN(_ request: [UInt8], _ local: Endpoint, _ source: Endpoint) {
        let site =
            answersFromElsewhere ? STUNSite(local: local, alternatePort: local.port ^ 1) : nil
        var bytes = [UInt8](repeating: 0, count: STUNServerLogic.responseCapacity)
        var span = bytes.mutableSpan
        var response = unsafe span.mutableBytes
        // What is no request gets no answer.
        guard
            let reply = unsafe try? STUNServerLogic.respond(
                to: request.span.bytes, from: source, at: site, into: &response)
        else { return }
        network.send(
            Array(bytes.prefix(reply.byteCount)), from: stunServer,
            port: reply.origin?.port ?? local.port, to: reply.destination, by: local.address)
    }

    private func receiveProbe(
        _ payload: [UInt8], by probe: Int, from source: Endpoint, on index: Int
    ) {
        nodes[index].wakeUpCount += 1
        unsafe nodes[index].report.handleProbeDatagram(
            payload.span.bytes, socket: probe, from: source, at: now)
        drain(index)
    }

    private func receive(
        _ payload: [UInt8], from source: PacketSource, by socket: LocalSocket = .main,
        on index: Int
    ) {
        if officials[index] != nil {
            officials[index]?.receive(payload, from: source, self)
            return
        }
        let node = nodes[index]
        node.wakeUpCount += 1
        switch unsafe classify(payload.span.bytes) {
        case .stun where socket.isMain:
            unsafe node.report.handleResponse(payload.span.bytes, at: now)
        case .stun: unsafe node.paths.handleSTUN(payload.span.bytes, by: socket, at: now)
        case .disco:
            unsafe node.paths.handleDisco(payload.span.bytes, from: source, by: socket, at: now)
        case .wireGuard: receiveData(payload, from: source, on: index)
        case .geneve(let header): receiveGeneve(payload, header, from: source, on: index)
        case .unknown: break
        }
        drain(index)
    }

    package func receiveData(_ payload: [UInt8], from source: PacketSource, on index: Int) {
        guard let message = TunnelMessage(payload), message.sender < nodes.count else { return }
        guard message.kind == .data else {
            return receiveHandshake(message, from: source, on: index)
        }
        let node = nodes[index]
        let peer = message.sender
        // The replay window lets each through once; copies are not even opened.
        guard node.received[peer, default: []].insert(message.number).inserted else {
            if case .relay = source {
                node.paths.noteRelayedCopy(from: peer, byteCount: payload.count, at: now)
            }
            return
        }
        node.paths.noteReceived(
            from: peer, source: source, byteCount: payload.count, at: now)
        noteConfirmed(peer, on: index)
        if case .direct = source {
            node.directArrivals[peer, default: 0] += 1
        } else {
            node.relayedArrivals[peer, default: 0] += 1
        }
        if let last = node.lastArrival[peer] {
            node.longestSilence[peer] = max(node.longestSilence[peer] ?? .zero, now - last)
        } else {
            node.firstArrival[peer] = now
        }
        node.lastArrival[peer] = now
        if !message.isReply, answersData { sendData(from: index, to: peer, isReply: true) }
    }

    // MARK: Sending

    /// One packet of the tunnel.
    package func sendData(from index: Int, to peer: Int, isReply: Bool = false) {
        if handshakes, !isEstablished(peer, on: index) {
            // The search for a path need not wait for the handshake.
            _ = nodes[index].paths.route(for: peer, at: now)
            hold(peer, on: index, isReply: isReply)
        } else {
            sendNow(from: index, to: peer, isReply: isReply)
        }
        drain(index)
    }

    func sendNow(from index: Int, to peer: Int, isReply: Bool) {
        let node = nodes[index]
        let number = node.sent[peer, default: 0]
        node.sent[peer] = number + 1
        let size = isReply ? answerByteCount : dataByteCount
        let message = TunnelMessage(.data, from: index, isReply: isReply, number: number)
        let route =
            officials[index]?.route(to: peer, self)
            ?? node.paths.route(for: peer, byteCount: size, at: now)
        if route.relayRegion == nil, route.direct != nil, node.directSince[peer] == nil {
            node.directSince[peer] = now
        }
        send(message.encoded(byteCount: size), by: route, from: index, to: peer)
    }

    func send(_ bytes: [UInt8], by route: PathRoute, from index: Int, to peer: Int) {
        let node = nodes[index]
        if let direct = route.direct {
            sendUDP(bytes, to: direct, from: index, by: node.paths.localSocket(to: direct))
        }
        if let region = route.relayRegion {
            network.relay(
                bytes, region: region, from: node.nodeKey, on: node.host,
                to: nodes[peer].nodeKey)
        }
    }

    /// Sends what the engines want sent, does what they ask for, and sets the node's timer.
    package func drain(_ index: Int) {
        let node = nodes[index]
        guard officials[index] == nil, !network.isSuspended(node.host) else { return }
        node.report.setInUse(node.paths.nextDeadline != nil, at: now)
        drainTransmits(index)
        drainPortMapping(index)
        while let event = node.report.pollEvent() {
            handle(event, of: index)
        }
        while let event = node.paths.pollEvent() { handle(event, of: index) }
        drainTransmits(index)
        setTimer(of: index)
    }

    private func handle(_ event: NetReportEvent, of index: Int) {
        let node = nodes[index]
        switch event {
        case .report(let report):
            node.paths.setNATBehavior(report.nat)
            node.paths.setMappingLifetime(report.mappingLifetime)
            node.paths.setReflexiveEndpoints(
                report.reflexiveEndpoints,
                mappingVaries: report.mappingVariesByDestination ?? false,
                isSilent: report.isSilent, at: now)
        case .probeSocketsWanted(let count):
            node.report.handleProbeSockets(ports: node.openProbes(count), at: now)
        case .probeSocketsDone: node.closeProbes()
        case .lifetimesLearned(let learned): node.learnedLifetimes = learned
        case .relayLatencyWanted: break
        }
    }

    private func handle(_ event: PathEvent, of index: Int) {
        let node = nodes[index]
        node.events.append(event)
        switch event {
        case .ownEndpointsChanged(let endpoints):
            guard sharesEndpoints else { return }
            node.announced = endpoints.map(\.endpoint)
            spread(index)
        case .freshEndpointsWanted: node.report.startQuick(at: now)
        case .relayAllocationWanted(let peer, let clients, let generation):
            allocate(clients, generation, for: peer, by: index)
        default: break
        }
    }

    private func drainTransmits(_ index: Int) {
        let node = nodes[index]
        while let transmit = node.paths.pollTransmit() { send(transmit, from: index) }
        while let socket = node.paths.pollSocketClosure() { node.close(socket) }
        while let transmit = node.report.pollTransmit() {
            node.stunSentTotal += 1
            let port = transmit.probeSocket.map { node.probePorts[$0] } ?? SimulatedNode.port
            network.send(
                transmit.bytes, from: node.host, port: port,
                to: mapped(transmit.destination, for: index))
        }
    }

    package func send(_ transmit: PathTransmit, from index: Int) {
        let node = nodes[index]
        switch transmit.destination {
        case .udp(let endpoint):
            node.discoSent[now.nanoseconds / 1_000_000_000, default: 0] += 1
            node.discoSentTotal += 1
            sendUDP(transmit.bytes, to: endpoint, from: index, by: transmit.socket)
        case .relay(let region, let key):
            node.relayedDiscoSentTotal += 1
            network.relay(
                transmit.bytes, region: region, from: node.nodeKey, on: node.host, to: key)
        }
    }

    // MARK: Addresses

    private func sendUDP(
        _ bytes: [UInt8], to destination: Endpoint, from index: Int,
        by socket: LocalSocket = .main
    ) {
        var (bytes, destination) = (bytes, destination)
        if destination.isRelayedPath {
            guard let relay = nodes[index].paths.peerRelay(at: destination) else { return }
            bytes = relay.dataHeader.encoded + bytes
            destination = relay.server
        }
        network.send(
            bytes, from: nodes[index].host, port: nodes[index].port(of: socket),
            to: mapped(destination, for: index))
    }

    /// IPv4 by the prefix of the network's NAT64, where the host has no IPv4 of its own.
    private func mapped(_ endpoint: Endpoint, for index: Int) -> Endpoint {
        guard let prefix = nodes[index].nat64Prefix, case .v4(let address) = endpoint.address
        else { return endpoint }
        let embedded = IPv6Address(high: prefix.high, low: prefix.low | UInt64(address.bits))
        return Endpoint(.v6(embedded), port: endpoint.port)
    }

    private func unmapped(_ endpoint: Endpoint, for index: Int) -> Endpoint {
        guard let prefix = nodes[index].nat64Prefix, case .v6(let address) = endpoint.address,
            address.high == prefix.high, address.low >> 32 == prefix.low >> 32
        else { return endpoint }
        let embedded = IPv4Address(bits: UInt32(truncatingIfNeeded: address.low))
        return Endpoint(.v4(embedded), port: endpoint.port)
    }
}
