package import NetTypes

/// What two Skein nodes tell each other when a NAT between them gives every destination a port of its
/// own (docs/hard-nats.md). Comes by relay only; official clients pass over a type they don't know.
///
/// | bytes | field |
/// |---|---|
/// | 0 | phase |
/// | 1 | the sender's mapping: 0 unknown, 1 endpoint-independent, 2 by address, 3 by address and port |
/// | 2 | its port allocation: 0 unknown, 1 preserving, 2 sequential, 3 one block, 4 random |
/// | 3 | why it declines, see `Refusal`; otherwise 0 |
/// | 4–7 | the attempt, a random number of the one who asks |
/// | 8–25 | the sender's public address (16) and port (2): where it is to be reached; in a sequence the port that it expects to get in the middle of the attempt |
/// | 26–29 | first and last port (2, 2) that its new mappings can get |
package struct HardNATMessage: Equatable, Sendable {
    /// Far from what other clients number their messages with (1 to 9 at this time).
    package static var typeNumber: UInt8 { 0xB1 }
    package static var byteCount: Int { 30 }

    package enum Phase: UInt8, Sendable {
        /// "My NAT is hard, let us meet": from the hard side.
        case request = 1
        case accept = 2
        case decline = 3
        /// A path was found; stop.
        case done = 4
    }

    package enum Allocation: UInt8, Sendable {
        case unknown, preserving, sequential, block, random
    }

    /// Why a request is declined.
    package enum Refusal: UInt8, Sendable {
        case none
        /// An administrator has switched the method off.
        case switchedOff
        /// Another attempt is under way: ask again in some seconds.
        case busy
        /// The side that declines knows no public IPv4 address of its own.
        case noAddress
        /// Too many ports were tried lately: ask again in some minutes.
        case exhausted
        /// The address is not one that the sender has announced by CallMeMaybe or its netmap entry.
        case strangeAddress
        /// A reason of the future.
        case other
    }

    package var phase: Phase
    package var mapping: NATBehavior.Dependence?
    package var allocation: Allocation
    package var refusal: Refusal
    package var attempt: UInt32
    package var endpoint: Endpoint
    package var ports: ClosedRange<UInt16>

    package init(
        _ phase: Phase, attempt: UInt32, mapping: NATBehavior.Dependence? = nil,
        allocation: Allocation = .unknown, refusal: Refusal = .none,
        endpoint: Endpoint = Endpoint(.v4(IPv4Address(bits: 0)), port: 0),
        ports: ClosedRange<UInt16> = 1...UInt16.max
    ) {
        self.phase = phase
        self.mapping = mapping
        self.allocation = allocation
        self.refusal = refusal
        self.attempt = attempt
        self.endpoint = endpoint
        self.ports = ports
    }

    /// Nil for a phase of the future or an empty range of ports.
    init?(_ body: inout ByteReader) throws(TruncatedInput) {
        let head: UInt32 = try body.readBigEndian()
        let attempt: UInt32 = try body.readBigEndian()
        let endpoint = try body.readEndpoint()
        let first: UInt16 = try body.readBigEndian()
        let last: UInt16 = try body.readBigEndian()
        guard let phase = Phase(rawValue: UInt8(head >> 24)), first <= last, first > 0 else {
            return nil
        }
        let mapping = UInt8(truncatingIfNeeded: head >> 16)
        self.init(
            phase, attempt: attempt,
            mapping: mapping == 0 ? nil : NATBehavior.Dependence(rawValue: mapping - 1),
            allocation: Allocation(rawValue: UInt8(truncatingIfNeeded: head >> 8)) ?? .unknown,
            refusal: Refusal(rawValue: UInt8(truncatingIfNeeded: head)) ?? .other,
            endpoint: endpoint, ports: first...last)
    }
}

extension [UInt8] {
    mutating func append(_ message: HardNATMessage) {
        append(message.phase.rawValue)
        append(message.mapping.map { $0.rawValue + 1 } ?? 0)
        append(message.allocation.rawValue)
        append(message.refusal.rawValue)
        appendBigEndian(message.attempt)
        append(message.endpoint)
        appendBigEndian(message.ports.lowerBound)
        appendBigEndian(message.ports.upperBound)
    }
}
