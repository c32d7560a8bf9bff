package import NetTypes
package import STUN

/// What behaviour discovery saw, and what that says about the NAT.
package struct BehaviorEvidence: Equatable, Sendable {
    package struct Mapping: Equatable, Sendable {
        package var socket: Int
        package var server: Endpoint
        package var mapped: Endpoint
    }

    /// Of the sockets, in the order in which they first sent.
    package var localPorts: [UInt16] = []
    /// In the order of the answers.
    package var mappings: [Mapping] = []
    /// The other endpoints of the server that was asked to answer from elsewhere.
    package var alternates: [Endpoint] = []
    package var hasAlternateAddress = false
    /// What an answer could differ in and still come in.
    package var filterPassed: STUNChange = []
    package var didTryHairpin = false
    package var hairpins = false

    package init() {}

    func mapped(_ socket: Int, at server: Endpoint) -> Endpoint? {
        mappings.first { $0.socket == socket && $0.server == server }?.mapped
    }

    /// What was seen of the first socket, which asked everybody.
    private var seen: [Mapping] { mappings.filter { $0.socket == 0 } }

    /// Whether a socket was seen as the same at two ports of one address; nil: not compared.
    package var variesByPort: Bool? {
        compare { $0.address == $1.address && $0.port != $1.port }
    }
    /// Whether it was seen as the same at two addresses.
    package var variesByAddress: Bool? { compare { $0.address != $1.address } }

    private func compare(_ isPair: (Endpoint, Endpoint) -> Bool) -> Bool? {
        var result: Bool?
        for (index, one) in seen.enumerated() {
            for other in seen[..<index] where isPair(one.server, other.server) {
                result = (result ?? false) || one.mapped != other.mapped
            }
        }
        return result
    }

    /// Nil where servers at one address only were compared and saw the same.
    package var mapping: NATBehavior.Dependence? {
        switch (variesByPort, variesByAddress) {
        case (true?, _): .addressAndPortDependent
        case (false?, true?): .addressDependent
        case (nil, true?): .addressAndPortDependent
        case (_, false?): .endpointIndependent
        case (_, nil): nil
        }
    }

    /// Silence proves a filter only where the same sender was heard when it was asked directly. With
    /// one address, whether the filter looks at addresses stays open; it is taken to.
    package var filtering: NATBehavior.Dependence? {
        if filterPassed.contains(.address) { return .endpointIndependent }
        if filterPassed.contains(.port) { return .addressDependent }
        guard let port = alternates.first, wasHeard(port) else { return nil }
        return .addressAndPortDependent
    }

    private func wasHeard(_ server: Endpoint) -> Bool { seen.contains { $0.server == server } }

    /// The filter may be laxer than said: the server had no address to try that from.
    package var isFilteringBound: Bool {
        filtering == .addressDependent
            && !(hasAlternateAddress && alternates.allSatisfy(wasHeard))
    }

    package var allocation: NATBehavior.PortAllocation? {
        guard let server = mappings.first?.server else { return nil }
        let pairs = localPorts.indices.compactMap { socket in
            mapped(socket, at: server).map { (local: localPorts[socket], outside: $0.port) }
        }
        return PortPattern.allocation(of: pairs)
    }

    package var behavior: NATBehavior {
        NATBehavior(
            mapping: mapping, filtering: filtering, allocation: allocation,
            hairpins: hairpins ? true : didTryHairpin ? false : nil)
    }
}
