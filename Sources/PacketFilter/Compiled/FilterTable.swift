internal import IPPacket
internal import NetTypes

/// A filter configuration in the form in which packets are checked. Compiling takes time that grows
/// with the rules (a thousand: milliseconds), so it is done away from the packet thread.
package struct FilterTable: Sendable {
    /// How the rules of a protocol are looked at.
    private enum Mode: Hashable {
        /// A rule counts for its ports.
        case ports
        /// Without ports: only rules that allow all of them count.
        case allPorts
        /// ICMP: a rule of any protocol counts whatever its ports.
        case addresses
    }
    struct Tables: Sendable {
        var v4: RuleTable<UInt32>
        var v6: RuleTable<UInt128>
    }

    let local: AddressSet
    let isShieldsUp: Bool
    let openEndpoints: [Endpoint]
    let tables: [Tables]
    /// The table of each protocol number.
    let tableOfProtocol: [UInt8]

    /// Allows nothing: what holds before the first configuration.
    package init() { self.init(compiling: FilterConfiguration()) }

    package init(compiling configuration: FilterConfiguration) {
        local = configuration.localDestinations
        isShieldsUp = configuration.shieldsUp
        openEndpoints = configuration.openEndpoints
        let sources = configuration.rules.map { rule in
            rule.sourceCapabilities.reduce(AddressSet(rule.sources)) { sources, capability in
                configuration.capabilityHolders[capability].map(sources.union) ?? sources
            }
        }
        var rulesOfProtocol = [[Int]](repeating: [], count: 256)
        for (index, rule) in configuration.rules.enumerated() {
            for number in Set(rule.protocols).sorted() {
                rulesOfProtocol[Int(number.rawValue)].append(index)
            }
        }
        var tables: [Tables] = []
        var known: [Selection: UInt8] = [:]
        var tableOfProtocol: [UInt8] = []
        for number in 0..<256 {
            let selection = Self.selection(
                IPProtocol(rawValue: UInt8(number)), rulesOfProtocol[number],
                ruleCount: configuration.rules.count)
            if known[selection] == nil {
                known[selection] = UInt8(tables.count)
                tables.append(
                    Self.compile(selection, configuration.rules, sources: sources, local: local))
            }
            tableOfProtocol.append(known[selection] ?? 0)
        }
        self.tables = tables
        self.tableOfProtocol = tableOfProtocol
    }

    /// Protocols with equal selections share a table.
    private struct Selection: Hashable {
        var mode: Mode
        var rules: [Int]
    }

    private static func selection(
        _ number: IPProtocol, _ rules: [Int], ruleCount: Int
    ) -> Selection {
        switch number {
        case .icmpv4, .icmpv6: Selection(mode: .addresses, rules: Array(0..<ruleCount))
        case _ where rules.isEmpty: Selection(mode: .allPorts, rules: [])
        default: Selection(mode: number.hasPorts ? .ports : .allPorts, rules: rules)
        }
    }

    private static func compile(
        _ selection: Selection, _ rules: [PacketRule], sources: [AddressSet], local: AddressSet
    ) -> Tables {
        var v4 = RuleTableBuilder<UInt32>()
        var v6 = RuleTableBuilder<UInt128>()
        for index in selection.rules {
            for destination in rules[index].destinations {
                var ports = destination.ports
                switch selection.mode {
                case .ports: break
                case .allPorts:
                    if ports != PacketRule.Destination.allPorts { continue }
                case .addresses: ports = PacketRule.Destination.allPorts
                }
                // What is not local is refused before the rules are asked.
                switch (destination.addresses.first, destination.addresses.last) {
                case (.v4(let first), .v4(let last)):
                    let range = first.bits...last.bits
                    if !local.v4.overlaps(range) { continue }
                    v4.add(sources[index].v4, destinations: range, ports: ports)
                case (.v6(let first), .v6(let last)):
                    let range = first.integer...last.integer
                    if !local.v6.overlaps(range) { continue }
                    v6.add(sources[index].v6, destinations: range, ports: ports)
                default: preconditionFailure("a range is of one family")
                }
            }
        }
        return Tables(v4: v4.finish(), v6: v6.finish())
    }

    /// Whether a rule allows `packet`, whose destination is local.
    func allows(_ packet: ParsedPacket) -> Bool {
        let index = Int(tableOfProtocol[Int(packet.protocol.rawValue)])
        switch (packet.source, packet.destination) {
        case (.v4(let source), .v4(let destination)):
            return tables[index].v4.allows(
                source: source.bits, destination: destination.bits, port: packet.destinationPort)
        case (.v6(let source), .v6(let destination)):
            return tables[index].v6.allows(
                source: source.integer, destination: destination.integer,
                port: packet.destinationPort)
        default: return false
        }
    }
}
