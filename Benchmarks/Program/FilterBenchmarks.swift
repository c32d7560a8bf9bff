import IPPacket
import NetTypes
import PacketFilter

/// The filter's cost in both directions, with one rule and with a thousand.
func filterBenchmarks() -> [Benchmark] {
    [1, 1_000].flatMap { rules in
        [
            inbound("tcp", rules: rules, packet: { _ in tcp(flags: .ack) }),
            inbound("syn", rules: rules, packet: { _ in tcp(flags: .syn) }),
            inbound(
                "udp", rules: rules, packet: { udp(from: peer, to: own, port: UInt16($0 % 64)) }),
            outbound(rules: rules),
        ]
    } + [parsing()]
}

private let own = IPAddress.v4(IPv4Address(100, 64, 0, 1))
private let peer = IPAddress.v4(IPv4Address(100, 64, 0, 2))

private func udp(from: IPAddress, to: IPAddress, port: UInt16) -> [UInt8] {
    PacketBuilder.udp(
        from: Endpoint(from, port: 40_000 + port), to: Endpoint(to, port: 443), payload: [1, 2, 3])
}
private func tcp(flags: TCPFlags) -> [UInt8] {
    PacketBuilder.tcp(
        from: Endpoint(peer, port: 40_000), to: Endpoint(own, port: 443), flags: flags,
        payload: [1, 2, 3])
}

/// The filter, and the packets it is shown in turn.
private final class Filtering {
    var filter: PacketFilter
    let memory: PacketMemory
    let ranges: [Range<Int>]

    init(rules: Int, packets: [[UInt8]]) {
        filter = PacketFilter(flowSecret: 7)
        // All of them are about this node, so that none can be left out; the last one counts.
        let many = (0..<rules).map { number in
            let source =
                number == rules - 1
                ? AddressRange(peer)
                : AddressRange(.v4(IPv4Address(bits: 0x6450_0000 + UInt32(number))))
            let port = UInt16(number == rules - 1 ? 443 : 1_000 + number)
            return PacketRule(
                sources: [source], destinations: [.init(AddressRange(own), ports: port...port)])
        }
        filter.install(
            FilterTable(
                compiling: FilterConfiguration(
                    rules: many, localDestinations: AddressSet([IPPrefix(host: own)]))))
        memory = PacketMemory(slots: packets.count)
        ranges = packets.map { 0..<$0.count }
        for (number, packet) in packets.enumerated() { memory.put(packet, at: 0, inSlot: number) }
    }

    func packet(_ number: Int) -> UnsafeRawBufferPointer {
        let number = number & (ranges.count - 1)
        let slot = UnsafeRawBufferPointer(memory[number])
        return UnsafeRawBufferPointer(rebasing: slot[ranges[number]])
    }
}

private func inbound(
    _ kind: String, rules: Int, packet: @escaping (Int) -> [UInt8]
) -> Benchmark {
    Benchmark("filter/in/\(kind)/\(rules)") { _ in
        let filtering = Filtering(rules: rules, packets: (0..<64).map(packet))
        return { number in
            let verdict = filtering.filter.checkInbound(filtering.packet(number).bytes)
            precondition(verdict == .accept, "dropped")
        }
    }
}

private func outbound(rules: Int) -> Benchmark {
    Benchmark("filter/out/udp/\(rules)") { _ in
        let packets = (0..<64).map { udp(from: own, to: peer, port: UInt16($0)) }
        let filtering = Filtering(rules: rules, packets: packets)
        return { number in
            let verdict = filtering.filter.checkOutbound(filtering.packet(number).bytes)
            precondition(verdict == .accept, "dropped")
        }
    }
}

private func parsing() -> Benchmark {
    Benchmark("parse/tcp") { _ in
        let filtering = Filtering(rules: 1, packets: [tcp(flags: .ack)])
        return { number in
            let packet = try! ParsedPacket(filtering.packet(number).bytes)
            precondition(packet.destinationPort == 443, "read wrongly")
        }
    }
}
