import IPPacket
import NetTypes
import PacketFilter
import Testing

/// The compiled filter against a model that tries rule after rule as the specification says.
@Suite struct FilterModelTests {
    /// §8.2, word by word.
    struct Model {
        var configuration: FilterConfiguration
        var flows: [FlowKey] = []

        func allows(
            _ packet: ParsedPacket, _ isDestination: (PacketRule.Destination) -> Bool,
            anyProtocol: Bool = false
        ) -> Bool {
            configuration.rules.contains { rule in
                (anyProtocol || rule.protocols.contains(packet.protocol))
                    && rule.sources.contains { $0.contains(packet.source) }
                    && rule.destinations.contains {
                        $0.addresses.contains(packet.destination) && isDestination($0)
                    }
            }
        }

        func isAccepted(_ packet: ParsedPacket) -> Bool {
            let destination = packet.destination
            if destination.isMulticast { return false }
            if destination.isLinkLocal, destination != .v4(PacketFilter.metadataService) {
                return false
            }
            if packet.fragment == .later { return true }
            guard configuration.localDestinations.contains(destination) else { return false }
            switch packet.protocol {
            case .tcp:
                return !packet.tcpFlags.opensConnection
                    || allows(packet, { $0.ports.contains(packet.destinationPort) })
            case .udp, .sctp:
                return flows.contains(packet.flow.reversed)
                    || allows(packet, { $0.ports.contains(packet.destinationPort) })
            case .icmpv4, .icmpv6:
                switch packet.icmp {
                case nil: return false
                case .echoReply, .error: return true
                default: return allows(packet, { _ in true }, anyProtocol: true)
                }
            case .tsmp: return true
            default: return allows(packet, { $0.ports == PacketRule.Destination.allPorts })
            }
        }
    }

    /// Few distinct addresses, so that rules and packets meet; the ends of the space among them.
    private func address(v4 isV4: Bool, _ random: inout SeededGenerator) -> IPAddress {
        let low = UInt64.random(in: 0..<40, using: &random)
        let isEnd = Int.random(in: 0..<12, using: &random) == 0
        if isV4 {
            return .v4(IPv4Address(bits: isEnd ? (low < 20 ? 0 : .max) : 0x6440_0000 + UInt32(low)))
        }
        return .v6(
            isEnd
                ? (low < 20 ? .any : IPv6Address(high: 0xFCFF << 48, low: .max))
                : IPv6Address(high: 0xFD7A_115C_A1E0_0000, low: low))
    }
    private func range(_ random: inout SeededGenerator) -> [AddressRange] {
        let isV4 = Bool.random(using: &random)
        let first = address(v4: isV4, &random)
        switch Int.random(in: 0..<8, using: &random) {
        case 0: return AddressRange.all
        case 1...4: return [AddressRange(first)]
        default:
            let last = address(v4: isV4, &random)
            return [AddressRange(min(first, last), through: max(first, last))!]
        }
    }
    private func parse(_ bytes: [UInt8]) -> ParsedPacket { try! ParsedPacket(bytes.span.bytes) }
    private func port(_ random: inout SeededGenerator) -> UInt16 {
        [0, 1, 22, 80, 81, 443, 65_534, 65_535].randomElement(using: &random)!
    }
    private func rule(_ random: inout SeededGenerator) -> PacketRule {
        var rule = PacketRule(sources: [], destinations: [])
        for _ in 0...Int.random(in: 0..<3, using: &random) { rule.sources += range(&random) }
        for _ in 0...Int.random(in: 0..<3, using: &random) {
            let a = port(&random)
            let b = port(&random)
            let ports =
                Bool.random(using: &random)
                ? PacketRule.Destination.allPorts : min(a, b)...max(a, b)
            rule.destinations += range(&random).map { .init($0, ports: ports) }
        }
        if Int.random(in: 0..<3, using: &random) == 0 {
            rule.protocols = [.tcp, .udp, .sctp, IPProtocol(rawValue: 47), .icmpv4].filter { _ in
                Bool.random(using: &random)
            }
        }
        return rule
    }
    private func packet(_ random: inout SeededGenerator) -> ParsedPacket {
        let isV4 = Bool.random(using: &random)
        let from = address(v4: isV4, &random)
        let to = address(v4: isV4, &random)
        let source = Endpoint(from, port: port(&random))
        let destination = Endpoint(to, port: port(&random))
        let bytes: [UInt8]
        switch Int.random(in: 0..<8, using: &random) {
        case 0...2:
            bytes = PacketBuilder.tcp(
                from: source, to: destination,
                flags: Int.random(in: 0..<4, using: &random) == 0 ? .ack : .syn)
        case 3, 4: bytes = PacketBuilder.udp(from: source, to: destination, payload: [])
        case 5:
            bytes = PacketBuilder.echo(
                isReply: Int.random(in: 0..<4, using: &random) == 0, from: from, to: to,
                identifier: 1, sequence: 1)
        case 6:
            bytes = PacketBuilder.ip(
                .sctp, from: from, to: to,
                payload: [
                    UInt8(source.port >> 8), UInt8(source.port & 0xFF),
                    UInt8(destination.port >> 8), UInt8(destination.port & 0xFF), 0, 0, 0, 0, 0, 0,
                    0, 0,
                ])
        default:
            bytes = PacketBuilder.ip(
                IPProtocol(rawValue: [47, 50, 99].randomElement(using: &random)!), from: from,
                to: to, payload: [])
        }
        return parse(bytes)
    }

    @Test("The filter decides as the model", arguments: [0, 1, 2, 7, 30, 200])
    func agreement(ruleCount: Int) {
        var accepted = 0
        var total = 0
        for seed in 0..<UInt64(ruleCount > 50 ? 3 : 20) {
            var random = SeededGenerator(seed: seed)
            let configuration = FilterConfiguration(
                rules: (0..<ruleCount).map { _ in rule(&random) },
                localDestinations: AddressSet((0..<3).flatMap { _ in range(&random) }))
            var model = Model(configuration: configuration)
            var filter = PacketFilter(flowSecret: seed)
            filter.install(FilterTable(compiling: configuration))
            for _ in 0..<400 {
                let packet = packet(&random)
                if Int.random(in: 0..<8, using: &random) == 0 {
                    let verdict = filter.checkOutbound(packet)
                    if verdict == .accept, packet.protocol == .udp || packet.protocol == .sctp {
                        model.flows.append(packet.flow)
                    }
                    continue
                }
                let verdict = filter.checkInbound(packet)
                let expected = model.isAccepted(packet)
                #expect((verdict == .accept) == expected, "seed \(seed): \(packet)")
                total += 1
                if expected { accepted += 1 }
            }
        }
        // Both outcomes must have been tried.
        #expect(accepted > total / 50 && accepted < total * 99 / 100)
    }

    @Test func `Rules that overlap in too many ways are still right`() {
        // Wide destinations with a port each, crossed with narrow ones: the cells of a table would
        // be millions.
        var rules: [PacketRule] = []
        for index in 0..<400 {
            let source = AddressRange(.v4(IPv4Address(bits: 0x0A00_0000 + UInt32(index))))
            rules.append(
                PacketRule(
                    sources: [source],
                    destinations: [
                        .init(.allIPv4, ports: UInt16(index * 2)...UInt16(index * 2))
                    ]))
            rules.append(
                PacketRule(
                    sources: [source],
                    destinations: [
                        .init(AddressRange(.v4(IPv4Address(bits: 0x6440_0000 + UInt32(index * 2)))))
                    ]))
        }
        let configuration = FilterConfiguration(
            rules: rules, localDestinations: AddressSet(AddressRange.all))
        let model = Model(configuration: configuration)
        var filter = PacketFilter(flowSecret: 1)
        filter.install(FilterTable(compiling: configuration))
        var random = SeededGenerator(seed: 1)
        for _ in 0..<60 {
            let index = UInt32.random(in: 0..<400, using: &random)
            let target = UInt32.random(in: 0..<800, using: &random)
            let bytes = PacketBuilder.tcp(
                from: Endpoint(.v4(IPv4Address(bits: 0x0A00_0000 + index)), port: 1),
                to: Endpoint(
                    .v4(
                        IPv4Address(
                            bits: 0x6440_0000 + (Bool.random(using: &random) ? index * 2 : target))),
                    port: UInt16(Bool.random(using: &random) ? index * 2 : target)), flags: .syn)
            let packet = parse(bytes)
            let verdict = filter.checkInbound(packet)
            #expect((verdict == .accept) == model.isAccepted(packet))
        }
    }
}

/// SplitMix64.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}
