/// How a NAT treats UDP, in the terms of RFC 4787; nil where nothing is known.
public struct NATBehavior: Equatable, Sendable {
    /// What a mapping, or the filter of one, depends on (RFC 4787 §4.1 and §5).
    public enum Dependence: UInt8, CaseIterable, Sendable {
        /// Nothing: one mapping for all destinations ("easy"), or anybody may send to it.
        case endpointIndependent
        /// The remote address.
        case addressDependent
        /// The remote address and port ("hard", or port-restricted).
        case addressAndPortDependent
    }

    /// How the external port of a new mapping is chosen (RFC 4787 §4.2).
    public enum PortAllocation: Equatable, Sendable {
        /// The internal port, where it is free.
        case preserving
        /// The last one and this step, give or take other traffic.
        case sequential(step: Int)
        /// Some port of a block that belongs to the internal address.
        case contiguousBlock(ClosedRange<UInt16>)
        case random
    }

    public var mapping: Dependence?
    public var filtering: Dependence?
    public var allocation: PortAllocation?
    /// Whether a packet sent to an own external endpoint comes back in (RFC 4787 §6).
    public var hairpins: Bool?

    public init(
        mapping: Dependence? = nil, filtering: Dependence? = nil,
        allocation: PortAllocation? = nil, hairpins: Bool? = nil
    ) {
        self.mapping = mapping
        self.filtering = filtering
        self.allocation = allocation
        self.hairpins = hairpins
    }
}
