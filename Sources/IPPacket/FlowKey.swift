package import NetTypes

/// The five values that name a flow of packets in one direction, packed for tables.

package struct FlowKey: Equatable, Sendable, BitwiseCopyable {
    @usableFromInline var source: IPv6Address
    @usableFromInline var destination: IPv6Address
    /// Source port, destination port, protocol, from the upper bits down. The lowest bit is set in
    /// all but `none`.
    @usableFromInline var rest: UInt64

    @inlinable
    package init(protocol number: IPProtocol, source: Endpoint, destination: Endpoint) {
        self.source = source.address.mapped
        self.destination = destination.address.mapped
        rest =
            UInt64(source.port) << 48 | UInt64(destination.port) << 32
            | UInt64(number.rawValue) << 8 | 1
    }

    /// Word by word, what differs most often first: tables compare each packet with several flows.
    @inlinable @inline(__always)
    package static func == (left: Self, right: Self) -> Bool {
        left.rest == right.rest && left.source.low == right.source.low
            && left.destination.low == right.destination.low
            && left.source.high == right.source.high
            && left.destination.high == right.destination.high
    }

    /// Equal to no flow of a packet: what an empty place of a table holds.
    package static var none: Self {
        var flow = Self(
            protocol: IPProtocol(rawValue: 0), source: Endpoint(.v4(.any), port: 0),
            destination: Endpoint(.v4(.any), port: 0))
        flow.rest = 0
        return flow
    }

    /// The flow of the answers.
    @inlinable package var reversed: Self {
        var other = self
        other.source = destination
        other.destination = source
        other.rest = rest << 16 & 0xFFFF << 48 | rest >> 16 & 0xFFFF << 32 | rest & 0xFFFF_FFFF
        return other
    }

    /// A hash that is hard to steer without knowing `secret`, for tables of fixed size.
    @inlinable package func hash(secret: UInt64) -> UInt64 {
        // Folded multiplication (as in wyhash): every input word meets secret state.
        var state = Self.mix(source.high ^ secret, source.low ^ 0xA076_1D64_78BD_642F)
        state ^= Self.mix(destination.high ^ secret, destination.low ^ 0xE703_7ED1_A0B4_28DB)
        return Self.mix(state ^ secret, rest ^ 0x8EBC_6AF0_9C88_C6E3)
    }

    @inlinable static func mix(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = left.multipliedFullWidth(by: right)
        return product.high ^ product.low
    }
}
