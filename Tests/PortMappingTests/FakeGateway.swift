import NetTypes
import PortMapping
import PortMappingMessages
import SimulatedNetwork

/// A gateway in virtual time that speaks what it is told to, and lies as it is told to.
struct FakeGateway {
    var address = IPAddress("192.168.1.1")!
    /// Where answers come from; the gateway unless it is another that answers.
    var answersFrom: IPAddress?
    var speaksPCP = false
    var speaksNATPMP = false
    var speaksUPnP = false
    var externalAddress = IPAddress("203.0.113.7")!
    /// Nil: as wished.
    var externalPort: UInt16?
    var grantedLifetime: UInt32?
    var pcpResult: UInt8 = 0
    var natPMPResult: UInt16 = 0
    var keepsNonce = true
    var upnpErrors: [Int] = []
    var description: HTTPResponse?
    var location = "http://192.168.1.1:5000/desc.xml"
    var bootedAt = MonotonicInstant(nanoseconds: 0)
    var epochOffset: Int64 = 0

    /// What is mapped, by protocol.
    var mappings: [PortMappingProtocol: UInt16] = [:]
    var datagramCount = 0
    var exchanges: [Endpoint] = []
    var actions: [String] = []

    func epoch(_ now: MonotonicInstant) -> UInt32 {
        UInt32(clamping: (now - bootedAt).count / 1_000_000_000 + epochOffset)
    }

    /// Loses its mappings.
    mutating func restart(at now: MonotonicInstant) {
        mappings = [:]
        bootedAt = now
    }

    mutating func answer(
        _ request: [UInt8], to destination: Endpoint, at now: MonotonicInstant
    ) -> (bytes: [UInt8], source: Endpoint)? {
        datagramCount += 1
        let source = answersFrom ?? address
        if destination.port == 1900 {
            guard speaksUPnP else { return nil }
            let text =
                "HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n"
                + "LOCATION: \(location)\r\n\r\n"
            return (Array(text.utf8), Endpoint(source, port: 1900))
        }
        let bytes = request[0] == 2 ? pcp(request, now) : natPMP(request, now)
        return bytes.map { ($0, Endpoint(source, port: 5351)) }
    }

    private mutating func natPMP(_ request: [UInt8], _ now: MonotonicInstant) -> [UInt8]? {
        guard speaksNATPMP else { return nil }
        var bytes: [UInt8] = [0, 128 | request[1]]
        bytes.appendBigEndian(natPMPResult)
        bytes.appendBigEndian(epoch(now))
        guard natPMPResult == 0 else { return bytes }
        if request[1] == 0 {
            guard case .v4(let value) = externalAddress else { return nil }
            bytes.appendBigEndian(value.bits)
            return bytes
        }
        let asked = Array(request[4..<12]).span.bytes.bigEndian(at: 4, as: UInt32.self)
        let wished = Array(request[6..<8]).span.bytes.bigEndian(at: 0, as: UInt16.self)
        bytes += request[4..<6]
        if asked == 0 {
            mappings[.natPMP] = nil
            return bytes + [0, 0, 0, 0, 0, 0]
        }
        mappings[.natPMP] = externalPort ?? wished
        bytes.appendBigEndian(externalPort ?? wished)
        bytes.appendBigEndian(grantedLifetime ?? asked)
        return bytes
    }

    private mutating func pcp(_ request: [UInt8], _ now: MonotonicInstant) -> [UInt8]? {
        guard speaksPCP else {
            // RFC 6887, appendix A: a NAT-PMP server names its own version.
            guard speaksNATPMP else { return nil }
            var bytes: [UInt8] = [0, 128 | request[1], 0, 1]
            bytes.appendBigEndian(epoch(now))
            return bytes
        }
        let asked = Array(request[4..<8]).span.bytes.bigEndian(at: 0, as: UInt32.self)
        let isMap = request[1] == 1
        var bytes: [UInt8] = [2, 128 | request[1], 0, isMap ? pcpResult : 0]
        bytes.appendBigEndian(asked == 0 ? 0 : grantedLifetime ?? asked)
        bytes.appendBigEndian(epoch(now))
        bytes += [UInt8](repeating: 0, count: 12)
        guard isMap else { return bytes }
        let wished = Array(request[42..<44]).span.bytes.bigEndian(at: 0, as: UInt16.self)
        bytes += keepsNonce ? request[24..<36] : ArraySlice(repeating: 0xEE, count: 12)
        bytes += request[36..<42]
        bytes.appendBigEndian(externalPort ?? wished)
        bytes.append(externalAddress.mapped)
        if pcpResult == 0 { mappings[.pcp] = asked == 0 ? nil : externalPort ?? wished }
        return bytes
    }

    mutating func exchange(_ request: [UInt8], with endpoint: Endpoint) -> HTTPResponse? {
        exchanges.append(endpoint)
        guard speaksUPnP, endpoint == Endpoint(address, port: 5000) else { return nil }
        let text = String(decoding: request, as: UTF8.self)
        if text.hasPrefix("GET ") { return description ?? Self.usualDescription }
        let action = String(text.split(separator: "#")[1].prefix { $0 != "\"" })
        actions.append(action)
        func answer(_ values: String) -> HTTPResponse {
            let body = "<s:Envelope><s:Body><u:R>\(values)</u:R></s:Body></s:Envelope>"
            return HTTPResponse(status: 200, body: Array(body.utf8))
        }
        switch action {
        case "GetExternalIPAddress":
            return answer("<NewExternalIPAddress>\(externalAddress)</NewExternalIPAddress>")
        case "AddPortMapping":
            if !upnpErrors.isEmpty {
                let code = upnpErrors.removeFirst()
                let body =
                    "<s:Envelope><s:Body><s:Fault><errorCode>\(code)</errorCode></s:Fault>"
                    + "</s:Body></s:Envelope>"
                return HTTPResponse(status: 500, body: Array(body.utf8))
            }
            mappings[.upnp] = text.value(of: "NewExternalPort").flatMap { UInt16($0) }
            return answer("")
        case "AddPinhole":
            mappings[.upnp] = 1
            return answer("<UniqueID>7</UniqueID>")
        case "UpdatePinhole": return answer("")
        case "DeletePortMapping", "DeletePinhole":
            mappings[.upnp] = nil
            return answer("")
        default: return nil
        }
    }

    static var usualDescription: HTTPResponse {
        let services = [
            "urn:schemas-upnp-org:service:WANIPConnection:1",
            "urn:schemas-upnp-org:service:WANIPv6FirewallControl:1",
        ].map { "<service><serviceType>\($0)</serviceType><controlURL>/ctl</controlURL></service>" }
        return HTTPResponse(
            status: 200, body: Array("<root>\(services.joined())</root>".utf8))
    }
}

extension String {
    func value(of element: String) -> Substring? {
        guard let start = split(separator: "<\(element)>", maxSplits: 1).dropFirst().first else {
            return nil
        }
        return start.prefix { $0 != "<" }
    }
}

/// An engine and a gateway, and a clock that jumps to whatever comes next.
struct Rig: ~Copyable {
    var engine: PortMappingEngine<SeededRandom>
    var gateway: FakeGateway
    var now = MonotonicInstant(nanoseconds: 1_000_000_000_000)
    /// One way.
    var delay = Nanoseconds.milliseconds(2)
    var lossProbability = 0.0
    var random: SeededRandom
    var statuses: [PortMappingStatus] = []
    var sent: [PortMappingTransmit] = []
    private var pending: [(at: MonotonicInstant, Arrival)] = []

    private enum Arrival {
        case datagram([UInt8], Endpoint)
        case response(Int, HTTPResponse?)
    }

    static var nonce: PCPNonce { PCPNonce(Array(1...12))! }

    init(_ gateway: FakeGateway, seed: UInt64 = 1, rememberedPort: UInt16 = 0) {
        self.gateway = gateway
        random = SeededRandom(seed: seed)
        engine = PortMappingEngine(
            memory: PortMappingMemory(externalPort: rememberedPort, nonce: Self.nonce),
            random: SeededRandom(seed: seed &+ 1))
    }

    static var link: GatewayLink {
        GatewayLink(
            gateway: IPAddress("192.168.1.1")!, own: IPPrefix("192.168.1.10/24")!, port: 41641)
    }

    mutating func begin(_ link: GatewayLink = Rig.link) {
        engine.setLinks([link], at: now)
        drain()
    }

    mutating func run(_ duration: Nanoseconds) {
        let end = now + duration
        while true {
            let arrival = pending.map(\.at).min()
            guard let next = earliest(arrival, engine.nextDeadline), next <= end else { break }
            now = max(now, next)
            if let index = pending.firstIndex(where: { $0.at <= now }) {
                switch pending.remove(at: index).1 {
                case .datagram(let bytes, let source):
                    engine.receive(bytes.span.bytes, from: source, at: now)
                case .response(let id, let response):
                    engine.handleExchange(id: id, response, at: now)
                }
            }
            if let deadline = engine.nextDeadline, deadline <= now {
                engine.handleTimeout(at: now)
                let after = engine.nextDeadline
                precondition(after != deadline, "a deadline that is served moves on")
            }
            drain()
        }
        now = end
    }

    mutating func announce(_ bytes: [UInt8]) {
        engine.receive(bytes.span.bytes, from: Endpoint(gateway.address, port: 5351), at: now)
        drain()
    }

    mutating func drain() {
        while let transmit = engine.pollTransmit() {
            sent.append(transmit)
            switch transmit {
            case .datagram(let bytes, let destination):
                guard !random.chance(lossProbability),
                    let answer = gateway.answer(bytes, to: destination, at: now),
                    !random.chance(lossProbability)
                else { continue }
                pending.append((now + delay * 2, .datagram(answer.bytes, answer.source)))
            case .exchange(let id, let endpoint, let request):
                let response = gateway.exchange(request, with: endpoint)
                pending.append((now + delay * 4, .response(id, response)))
            case .abandon: continue
            }
        }
        while let event = engine.pollEvent() {
            switch event {
            case .changed(let status): statuses.append(status)
            }
        }
    }
}
