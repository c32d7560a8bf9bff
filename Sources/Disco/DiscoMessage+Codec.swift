internal import NetTypes

extension DiscoMessage {
    /// Reads the plaintext of a box.
    package init(_ bytes: RawSpan) throws(ParseError) {
        guard bytes.byteCount >= 2 else {
            throw .truncated(TruncatedInput(needed: 2, have: bytes.byteCount))
        }
        let type = bytes.byte(at: 0)
        guard bytes.byte(at: 1) == 0 else { throw .unknownVersion(bytes.byte(at: 1)) }
        let message: DiscoMessage?
        do throws(TruncatedInput) {
            var body = ByteReader(bytes.extracting(2..<bytes.byteCount))
            message = try Self.read(type, &body)
        } catch {
            throw .truncated(error)
        }
        guard let message else { throw .unknownType(type) }
        self = message
    }

    private static func read(
        _ type: UInt8, _ body: inout ByteReader
    ) throws(TruncatedInput) -> DiscoMessage? {
        switch type {
        case 1:
            let id = try PingID(&body)
            // What is left and shorter than a key can only be padding.
            guard body.remaining >= 32 else { return .ping(id, nodeKey: nil) }
            let key: NodeKey = try body.readKey()
            return .ping(id, nodeKey: key.isZero ? nil : key)
        case 2: return .pong(try PingID(&body), source: try body.readEndpoint())
        case 3: return .callMeMaybe(try readEndpoints(&body))
        case 4: return .bindRelay(try RelayBinding(&body))
        case 5: return .bindRelayChallenge(try RelayBinding(&body))
        case 6: return .bindRelayAnswer(try RelayBinding(&body))
        case 7: return .callMeMaybeVia(try RelayEndpoint(&body))
        case 8:
            let clients: [DiscoKey] = [try body.readKey(), try body.readKey()]
            return .allocateRelayRequest(clients: clients, generation: try body.readBigEndian())
        case 9:
            let generation: UInt32 = try body.readBigEndian()
            return .allocateRelayResponse(generation: generation, try RelayEndpoint(&body))
        case HardNATMessage.typeNumber: return try HardNATMessage(&body).map { .hardNAT($0) }
        default: return nil
        }
    }

    fileprivate static func readEndpoints(
        _ body: inout ByteReader
    ) throws(TruncatedInput) -> [Endpoint] {
        var endpoints: [Endpoint] = []
        while body.remaining >= 18, endpoints.count < endpointsMax {
            endpoints.append(try body.readEndpoint())
        }
        return endpoints
    }

    /// The plaintext for a box. `padding` zero bytes are put behind it.
    package func encoded(padding: Int = 0) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(64)
        bytes.append(typeNumber)
        bytes.append(0)
        switch self {
        case .ping(let id, let nodeKey):
            bytes.append(id)
            if let nodeKey { bytes.append(nodeKey.bytes) }
        case .pong(let id, let source):
            bytes.append(id)
            bytes.append(source)
        case .callMeMaybe(let endpoints):
            for endpoint in endpoints { bytes.append(endpoint) }
        case .bindRelay(let binding), .bindRelayChallenge(let binding),
            .bindRelayAnswer(let binding):
            bytes.append(binding)
        case .callMeMaybeVia(let endpoint): bytes.append(endpoint)
        case .allocateRelayRequest(let clients, let generation):
            for client in clients { bytes.append(client.bytes) }
            bytes.appendBigEndian(generation)
        case .allocateRelayResponse(let generation, let endpoint):
            bytes.appendBigEndian(generation)
            bytes.append(endpoint)
        case .hardNAT(let message): bytes.append(message)
        }
        if padding > 0 { bytes.append(contentsOf: repeatElement(0, count: padding)) }
        return bytes
    }

    private var typeNumber: UInt8 {
        switch self {
        case .ping: 1
        case .pong: 2
        case .callMeMaybe: 3
        case .bindRelay: 4
        case .bindRelayChallenge: 5
        case .bindRelayAnswer: 6
        case .callMeMaybeVia: 7
        case .allocateRelayRequest: 8
        case .allocateRelayResponse: 9
        case .hardNAT: HardNATMessage.typeNumber
        }
    }
}

extension PingID {
    init(_ body: inout ByteReader) throws(TruncatedInput) {
        self.init(high: try body.readBigEndian(), low: try body.readBigEndian())
    }
}

extension DiscoMessage.RelayBinding {
    init(_ body: inout ByteReader) throws(TruncatedInput) {
        self.init(
            virtualNetwork: try body.readBigEndian(), generation: try body.readBigEndian(),
            remote: try body.readKey(), challenge: Bytes32(try body.readSpan(count: 32)))
    }
}

extension DiscoMessage.RelayEndpoint {
    init(_ body: inout ByteReader) throws(TruncatedInput) {
        self.init(
            server: try body.readKey(), clients: [try body.readKey(), try body.readKey()],
            lamportID: try body.readBigEndian(), virtualNetwork: try body.readBigEndian(),
            bindLifetime: Nanoseconds(count: try body.readBigEndian()),
            steadyStateLifetime: Nanoseconds(count: try body.readBigEndian()), endpoints: [])
        endpoints = try DiscoMessage.readEndpoints(&body)
        guard !endpoints.isEmpty else { throw TruncatedInput(needed: 18, have: body.remaining) }
    }
}

extension [UInt8] {
    fileprivate mutating func append(_ id: PingID) {
        appendBigEndian(id.high)
        appendBigEndian(id.low)
    }

    fileprivate mutating func append(_ binding: DiscoMessage.RelayBinding) {
        appendBigEndian(binding.virtualNetwork)
        appendBigEndian(binding.generation)
        append(binding.remote.bytes)
        append(binding.challenge)
    }

    fileprivate mutating func append(_ endpoint: DiscoMessage.RelayEndpoint) {
        append(endpoint.server.bytes)
        for client in endpoint.clients { append(client.bytes) }
        appendBigEndian(endpoint.lamportID)
        appendBigEndian(endpoint.virtualNetwork)
        appendBigEndian(endpoint.bindLifetime.count)
        appendBigEndian(endpoint.steadyStateLifetime.count)
        for address in endpoint.endpoints { append(address) }
    }
}
