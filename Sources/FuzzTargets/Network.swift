import IPPacket
import NetTypes
import Netlink
import PacketFilter

let networkFuzzTargets: [FuzzTarget] = [
    FuzzTarget(name: "ip-packet") { bytes in
        guard let packet = try? ParsedPacket(bytes) else { return }
        precondition(packet.transportOffset <= packet.byteCount, "the header is in the packet")
        precondition(packet.byteCount <= bytes.byteCount, "the packet is in the bytes")
        precondition(packet.flow.reversed.reversed == packet.flow, "turning twice changes nothing")
        _ = PacketBuilder.tooBig(mtu: 1_280, about: bytes, packet)
        var copy = bytes.array
        var span = copy.mutableSpan
        var mutableBytes = span.mutableBytes
        clampSegmentSize(of: &mutableBytes, packet, mtu: 1_000)
        if let ip = try? IPv4View(bytes) {
            _ = ip.hasValidChecksum
            fuzzTransports(ip.payload, ip.protocol)
        } else if let ip = try? IPv6View(bytes) {
            fuzzTransports(ip.payload, ip.nextHeader)
        }
    },
    FuzzTarget(name: "packet-filter") { bytes in
        var filter = PacketFilter(flowSecret: 1, flowCapacity: 64)
        filter.install(fuzzedTable)
        _ = filter.checkOutbound(bytes)
        _ = filter.checkInbound(bytes)
        _ = filter.checkInbound(bytes, isJailed: true)
        guard let packet = try? ParsedPacket(bytes) else { return }
        _ = filter.rejection(of: packet, reason: .noRule)
    },
    FuzzTarget(name: "filter-rule") { bytes in
        let text = String(decoding: bytes.array, as: UTF8.self)
        let parts = text.split(separator: "\n", maxSplits: 8).map(String.init)
        var problems: [PacketRule.Problem] = []
        let rule = PacketRule(
            sources: parts, destinations: parts.map { .init($0, firstPort: 1, lastPort: 9) },
            protocols: [], problems: &problems)
        _ = FilterTable(
            compiling: FilterConfiguration(
                rules: [rule], localDestinations: AddressSet(AddressRange.all)))
    },
    FuzzTarget(name: "netlink") { bytes in
        var reader = NetlinkReader(bytes)
        while let message = try? reader.next() {
            _ = message.errorCode
            _ = try? Link(parsing: message.payload)
            _ = try? InterfaceAddress(parsing: message.payload)
            _ = try? Route(parsing: message.payload)
            _ = try? RoutingRule(parsing: message.payload)
        }
    },
]

private func fuzzTransports(_ payload: RawSpan, _ number: IPProtocol) {
    if let udp = try? UDPView(payload) { _ = udp.payload.byteCount }
    if let tcp = try? TCPView(payload) { _ = tcp.options.byteCount + tcp.payload.byteCount }
    if let icmp = try? ICMPView(payload, isV6: number == .icmpv6) { _ = icmp.kind }
    if let message = TSMPMessage(parsing: payload) {
        let encoded = message.encoded
        let again = TSMPMessage(parsing: encoded.span.bytes)
        precondition(again == message, "a message survives being encoded")
    }
}

private let fuzzedTable: FilterTable = {
    var problems: [PacketRule.Problem] = []
    let rules = [
        PacketRule(
            sources: ["100.64.0.0/10", "fd7a:115c:a1e0::/48"],
            destinations: [.init("*", firstPort: 0, lastPort: 1023)], protocols: [],
            problems: &problems),
        PacketRule(
            sources: ["*"], destinations: [.init("100.64.0.1", firstPort: 0, lastPort: 65_535)],
            protocols: [47], problems: &problems),
    ]
    return FilterTable(
        compiling: FilterConfiguration(
            rules: rules, localDestinations: AddressSet(AddressRange.all)))
}()
