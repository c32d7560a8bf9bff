package import NetTypes
package import SimulatedNetwork

/// A home router's NAT-PMP server (RFC 6886): a host behind the router that forwards ports on it when
/// asked. A port that is taken is answered with the next free one; requests of other versions, as
/// PCP's, with result 1.
package struct Gateway {
    package static var port: UInt16 { 5_351 }

    let router: SimulatedNetwork.RouterID
    let external: IPv4Address
    let startedAt: MonotonicInstant
    /// Internal endpoints by external port.
    private(set) var mappings: [UInt16: Endpoint] = [:]

    init(
        _ router: SimulatedNetwork.RouterID, external: IPv4Address, startedAt: MonotonicInstant
    ) {
        self.router = router
        self.external = external
        self.startedAt = startedAt
    }

    /// The answer to a request that came from `source`; nil when there is none.
    mutating func answer(
        _ request: [UInt8], from source: Endpoint, in network: inout SimulatedNetwork
    ) -> [UInt8]? {
        guard request.count >= 2, request[1] < 128 else { return nil }
        let epoch = UInt32((network.now - startedAt).inSeconds)
        guard request[0] == 0 else {
            return Self.header(opcode: request[1], result: 1, epoch: epoch)
        }
        switch request[1] {
        case 0:
            var answer = Self.header(opcode: 0, result: 0, epoch: epoch)
            Self.append(external.bits, to: &answer)
            return answer
        case 1 where request.count == 12:
            let internalPort = UInt16(request[4]) << 8 | UInt16(request[5])
            let wanted = UInt16(request[6]) << 8 | UInt16(request[7])
            let lifetime = request[8..<12].reduce(0) { $0 << 8 | UInt32($1) }
            let inside = Endpoint(source.address, port: internalPort)
            let granted =
                lifetime == 0
                ? unmap(inside, in: &network)
                : map(inside, wanted: wanted == 0 ? internalPort : wanted, in: &network)
            var answer = Self.header(opcode: 1, result: granted == nil ? 4 : 0, epoch: epoch)
            Self.append(UInt32(internalPort) << 16 | UInt32(granted ?? 0), to: &answer)
            Self.append(granted == nil ? 0 : lifetime, to: &answer)
            return answer
        default: return Self.header(opcode: request[1], result: 5, epoch: epoch)
        }
    }

    private mutating func map(
        _ inside: Endpoint, wanted: UInt16, in network: inout SimulatedNetwork
    ) -> UInt16? {
        if let known = mappings.first(where: { $0.value == inside })?.key { return known }
        for step: UInt16 in 0..<64 {
            let port = wanted &+ step
            guard port >= 1_024, network.forward(port, to: inside, on: router) else { continue }
            mappings[port] = inside
            return port
        }
        return nil
    }

    private mutating func unmap(
        _ inside: Endpoint, in network: inout SimulatedNetwork
    ) -> UInt16? {
        for port in mappings.keys.sorted() where mappings[port] == inside {
            mappings[port] = nil
            network.stopForwarding(port, on: router)
        }
        return 0
    }

    private static func header(opcode: UInt8, result: UInt16, epoch: UInt32) -> [UInt8] {
        var bytes: [UInt8] = [0, 128 + opcode]
        append(UInt32(result) << 16, to: &bytes)
        bytes.removeLast(2)
        append(epoch, to: &bytes)
        return bytes
    }

    private static func append(_ value: UInt32, to bytes: inout [UInt8]) {
        for shift: UInt32 in [24, 16, 8, 0] {
            bytes.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }
}

extension Mesh {
    /// Lets the router answer NAT-PMP at `inside`, an address of its own within.
    package func addGateway(
        to router: SimulatedNetwork.RouterID, inside: IPAddress, external: IPv4Address
    ) {
        let host = network.addHost([inside], behind: router, link: .init(delay: .zero))
        gateways[host] = Gateway(router, external: external, startedAt: now)
    }

    /// Whether a gateway was meant.
    func answerPortMapping(
        _ request: [UInt8], to local: Endpoint, on host: SimulatedNetwork.HostID,
        from source: Endpoint
    ) -> Bool {
        guard gateways[host] != nil else { return false }
        if local.port == Gateway.port,
            let answer = gateways[host]?.answer(request, from: source, in: &network)
        {
            network.send(answer, from: host, port: Gateway.port, to: source)
        }
        return true
    }
}
