package import IPPacket

/// One rule of a packet filter: from any of these sources to any of these destinations, packets of
/// these protocols are allowed. There are no rules that forbid.
package struct PacketRule: Hashable, Sendable {
    /// Where a packet may go: any of the addresses, at any of the ports.
    package struct Destination: Hashable, Sendable {
        package var addresses: AddressRange
        package var ports: ClosedRange<UInt16>

        package static var allPorts: ClosedRange<UInt16> { 0...UInt16.max }

        package init(_ addresses: AddressRange, ports: ClosedRange<UInt16> = Self.allPorts) {
            self.addresses = addresses
            self.ports = ports
        }
    }

    package var sources: [AddressRange]
    /// Sources that are named by a capability of theirs instead of an address.
    package var sourceCapabilities: [String]
    package var destinations: [Destination]
    /// None: the rule allows nothing.
    package var protocols: [IPProtocol]

    /// What a rule that names no protocol allows.
    package static var defaultProtocols: [IPProtocol] { [.icmpv4, .tcp, .udp, .icmpv6] }

    package init(
        sources: [AddressRange], sourceCapabilities: [String] = [], destinations: [Destination],
        protocols: [IPProtocol] = Self.defaultProtocols
    ) {
        self.sources = sources
        self.sourceCapabilities = sourceCapabilities
        self.destinations = destinations
        self.protocols = protocols
    }
}

extension PacketRule {
    /// A destination as it is written on the wire.
    package struct DestinationText: Hashable, Sendable {
        package var addresses: String
        package var firstPort: UInt16
        package var lastPort: UInt16

        package init(_ addresses: String, firstPort: UInt16, lastPort: UInt16) {
            self.addresses = addresses
            self.firstPort = firstPort
            self.lastPort = lastPort
        }
    }
    /// An entry of a rule that was left out; the rest of the rule holds.
    package enum Problem: Error, Hashable, Sendable {
        case badSource(String)
        case badDestination(String)
        case badPorts(first: UInt16, last: UInt16)
        case badProtocol(Int)
    }

    /// Reads a rule from the forms of the control protocol: sources `*`, address, prefix, `a-b` or
    /// `cap:NAME`; destinations likewise without `cap:`; protocol numbers, where none means the
    /// default ones. Entries that cannot be read are skipped and appended to `problems`.
    package init(
        sources: [String], destinations: [DestinationText], protocols numbers: [Int],
        problems: inout [Problem]
    ) {
        self.init(sources: [], destinations: [])
        for text in sources {
            if text.hasPrefix("cap:"), text.utf8.count > 4 {
                sourceCapabilities.append(String(text.dropFirst(4)))
            } else if let ranges = AddressRange.parse(text) {
                self.sources += ranges
            } else {
                problems.append(.badSource(text))
            }
        }
        for text in destinations {
            guard let ranges = AddressRange.parse(text.addresses) else {
                problems.append(.badDestination(text.addresses))
                continue
            }
            guard text.firstPort <= text.lastPort else {
                problems.append(.badPorts(first: text.firstPort, last: text.lastPort))
                continue
            }
            self.destinations += ranges.map {
                Destination($0, ports: text.firstPort...text.lastPort)
            }
        }
        guard !numbers.isEmpty else { return }
        protocols = []
        for number in numbers {
            if let value = UInt8(exactly: number) {
                protocols.append(IPProtocol(rawValue: value))
            } else {
                problems.append(.badProtocol(number))
            }
        }
    }
}
