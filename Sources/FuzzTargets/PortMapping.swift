import NetTypes
import PortMapping
import PortMappingMessages

let portMappingFuzzTargets: [FuzzTarget] = [
    FuzzTarget(name: "nat-pmp") { _ = try? NATPMPResponse(parsing: $0) },
    FuzzTarget(name: "pcp") { _ = try? PCPResponse(parsing: $0) },
    FuzzTarget(name: "ssdp") { bytes in
        guard let response = try? SSDPResponse(parsing: bytes) else { return }
        let next = response.location.resolving(response.location.path)
        precondition(next.map { $0.host == response.location.host } ?? true, "the same host")
    },
    FuzzTarget(name: "gateway-http") { bytes in
        var reader = HTTPResponseReader()
        var progress = HTTPResponseReader.Progress.incomplete
        var offset = 0
        while offset < bytes.byteCount, progress == .incomplete {
            let end = min(offset + 100, bytes.byteCount)
            progress = reader.append(bytes.extracting(offset..<end))
            offset = end
        }
        if progress == .incomplete { progress = reader.finish() }
        guard case .complete(let response) = progress else { return }
        _ = try? SOAPResponse(parsing: response)
    },
    FuzzTarget(name: "gateway-description") { bytes in
        let location = HTTPLocation(
            host: .v4(IPv4Address(192, 168, 1, 1)), port: 5000, path: "/desc.xml")
        guard let found = try? GatewayDescription(parsing: bytes.array, at: location) else {
            return
        }
        precondition(
            found.services.allSatisfy { $0.control.host == location.host }, "the same host")
    },
    FuzzTarget(name: "port-mapping") { fuzzEngine($0) },
]

/// Each chunk of the bytes is a datagram of the gateway or the body of its answer to an exchange.
private func fuzzEngine(_ bytes: RawSpan) {
    guard let nonce = PCPNonce(Array(1...12)) else { return }
    var engine = PortMappingEngine(
        memory: PortMappingMemory(externalPort: 0, nonce: nonce), random: CountingRandom())
    var now = MonotonicInstant(nanoseconds: 1_000_000_000)
    let gateway = IPAddress.v4(IPv4Address(192, 168, 1, 1))
    engine.setLinks(
        [
            GatewayLink(
                gateway: gateway, own: IPPrefix(.v4(IPv4Address(192, 168, 1, 10)), length: 24),
                port: 41641)
        ], at: now)
    var exchange: Int?
    var offset = 0
    while offset + 2 <= bytes.byteCount {
        let kind = bytes.byte(at: offset)
        let end = min(offset + 2 + Int(bytes.byte(at: offset + 1)), bytes.byteCount)
        let chunk = bytes.extracting(offset + 2..<end)
        offset = end
        if kind & 1 == 0 {
            let port: UInt16 = kind & 2 == 0 ? 5351 : 1900
            engine.receive(chunk, from: Endpoint(gateway, port: port), at: now)
        } else if let id = exchange {
            exchange = nil
            let status = kind & 2 == 0 ? 200 : 500
            engine.handleExchange(
                id: id, HTTPResponse(status: status, body: chunk.array), at: now)
        }
        while let transmit = engine.pollTransmit() {
            guard case .exchange(let id, let to, _) = transmit else { continue }
            precondition(to.address == gateway, "only ever to the gateway")
            exchange = id
        }
        while engine.pollEvent() != nil {}
        precondition(
            engine.status.endpoints.allSatisfy { !$0.address.isPrivate && $0.port != 0 },
            "only what others can use is announced")
        now = now + .milliseconds(Int64(kind) * 20)
        if let deadline = engine.nextDeadline, deadline <= now { engine.handleTimeout(at: now) }
    }
}

private struct CountingRandom: RandomNumberGenerator {
    var count: UInt64 = 0
    mutating func next() -> UInt64 {
        count &+= 0x9E37_79B9_7F4A_7C15
        return count
    }
}
