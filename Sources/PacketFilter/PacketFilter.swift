package import IPPacket
package import NetTypes

/// Decides which packets pass between the mesh and this host (data protocol, "Packet filter on the
/// node"). What the host sends may go; what comes in must be allowed by a rule or answer something.
///
/// It has no deadlines and sends nothing; a check neither allocates nor locks.
package struct PacketFilter: ~Copyable {
    package enum Verdict: Equatable, Sendable {
        case accept
        case drop(DropReason)
    }
    package enum DropReason: Int, CaseIterable, Sendable {
        /// No IP packet, or its headers contradict each other.
        case malformed
        case multicast
        case linkLocal
        /// Neither for this node nor for a network behind it.
        case destinationNotLocal
        case noRule
        /// A rule may allow it, but shields are up.
        case shieldsUp
        /// The sender is jailed: it may answer, not ask.
        case jailed
        /// Without ports, and no rule names it.
        case unknownProtocol
        /// TSMP is for nodes, not for the programs on them.
        case tsmpFromHost
    }
    /// Packets counted in one direction.
    package struct Counters: Sendable {
        package fileprivate(set) var accepted: UInt64 = 0
        private var drops = [9 of UInt64](repeating: 0)

        package func dropped(_ reason: DropReason) -> UInt64 { drops[reason.rawValue] }
        package var dropped: UInt64 { DropReason.allCases.reduce(0) { $0 + dropped($1) } }

        fileprivate mutating func count(_ verdict: Verdict) {
            switch verdict {
            case .accept: accepted += 1
            case .drop(let reason): drops[reason.rawValue] += 1
            }
        }
    }

    /// Flows remembered by default. The official client has 512.
    package static var flowCapacity: Int { 4096 }
    /// Where clouds answer questions about themselves: link-local, and allowed.
    package static var metadataService: IPv4Address { IPv4Address(169, 254, 169, 254) }

    package private(set) var inbound = Counters()
    package private(set) var outbound = Counters()
    private var table = FilterTable()
    private var flows: FlowTable

    /// `flowSecret` is a random number; see `FlowTable`. Until `install` nothing comes in.
    package init(flowSecret: UInt64, flowCapacity: Int = Self.flowCapacity) {
        flows = FlowTable(capacity: flowCapacity, secret: flowSecret)
    }

    /// Replaces the rules. Flows that are remembered stay: their answers may come.
    package mutating func install(_ table: consuming FilterTable) { self.table = table }

    /// Forgets what went out, so that nothing counts as an answer.
    package mutating func forgetFlows() { flows.removeAll() }

    /// Checks a packet that a peer sent. That its source belongs to the peer is checked before.
    package mutating func checkInbound(_ packet: RawSpan, isJailed: Bool = false) -> Verdict {
        do {
            return checkInbound(try ParsedPacket(packet), isJailed: isJailed)
        } catch {
            inbound.count(.drop(.malformed))
            return .drop(.malformed)
        }
    }

    package mutating func checkInbound(
        _ packet: ParsedPacket, isJailed: Bool = false
    ) -> Verdict {
        let verdict = inboundVerdict(packet, isJailed: isJailed)
        inbound.count(verdict)
        return verdict
    }

    /// Counts a packet like one that was accepted a moment ago: of the same `FlowFingerprint`, with the
    /// same rules.
    package mutating func acceptInboundAgain() { inbound.count(.accept) }

    /// Checks a packet that the host sends, and remembers it so that the answer may come.
    package mutating func checkOutbound(_ packet: RawSpan) -> Verdict {
        do {
            return checkOutbound(try ParsedPacket(packet))
        } catch {
            outbound.count(.drop(.malformed))
            return .drop(.malformed)
        }
    }

    package mutating func checkOutbound(_ packet: ParsedPacket) -> Verdict {
        let verdict = outboundVerdict(packet)
        outbound.count(verdict)
        return verdict
    }

    /// What to tell the sender of a packet that was dropped for `reason`; nil for silence. Only
    /// those who try to connect over IPv4 are told, as the official client does.
    package func rejection(of packet: ParsedPacket, reason: DropReason) -> TSMPMessage? {
        guard packet.protocol == .tcp, packet.tcpFlags.opensConnection, packet.source.isIPv4 else {
            return nil
        }
        let rejectReason: TSMPMessage.RejectReason
        switch reason {
        case .noRule: rejectReason = .accessDenied
        case .shieldsUp: rejectReason = .shieldsUp
        default: return nil
        }
        return .reject(
            packet.protocol, reason: rejectReason, sourcePort: packet.sourcePort,
            destinationPort: packet.destinationPort, maybeBroken: false)
    }

    // MARK: The decisions

    private mutating func inboundVerdict(
        _ packet: ParsedPacket, isJailed: Bool
    ) -> Verdict {
        if let reason = Self.refusedDestination(packet.destination) { return .drop(reason) }
        if packet.fragment == .later { return .accept }
        guard table.local.contains(packet.destination) else {
            return .drop(.destinationNotLocal)
        }
        switch packet.protocol {
        case .tcp:
            // Only a SYN without ACK begins something: the rest is an answer or belongs to a
            // connection whose SYN was let in.
            if !packet.tcpFlags.opensConnection { return .accept }
            let endpoint = Endpoint(packet.destination, port: packet.destinationPort)
            if !table.openEndpoints.isEmpty, table.openEndpoints.contains(endpoint) {
                return .accept
            }
        case .udp, .sctp:
            if flows.contains(packet.flow.reversed) { return .accept }
        case .icmpv4, .icmpv6:
            switch packet.icmp {
            case .echoReply, .error: return .accept
            case .echoRequest, .other: break
            // ICMP of the other version: no protocol of this one.
            case nil: return .drop(.unknownProtocol)
            }
        case .tsmp: return .accept
        default: break
        }
        if isJailed { return .drop(.jailed) }
        if table.isShieldsUp { return .drop(.shieldsUp) }
        if table.allows(packet) { return .accept }
        return .drop(packet.protocol.hasPorts || packet.icmp != nil ? .noRule : .unknownProtocol)
    }

    private mutating func outboundVerdict(_ packet: ParsedPacket) -> Verdict {
        if let reason = Self.refusedDestination(packet.destination) { return .drop(reason) }
        if packet.fragment == .later { return .accept }
        switch packet.protocol {
        case .tsmp: return .drop(.tsmpFromHost)
        case .udp, .sctp: flows.note(packet.flow)
        default: break
        }
        return .accept
    }

    private static func refusedDestination(_ address: IPAddress) -> DropReason? {
        switch address {
        case .v4(let value):
            if value.bits >> 28 == 0xE { return .multicast }
            if value.bits >> 16 == 0xA9FE, value != metadataService { return .linkLocal }
        case .v6(let value):
            if value.high >> 56 == 0xFF { return .multicast }
            if value.high >> 54 == 0xFE80 >> 6 { return .linkLocal }
        }
        return nil
    }
}
