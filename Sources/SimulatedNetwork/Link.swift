package import NetTypes

/// Why a datagram reached nobody.
package enum LossReason: Int, Error, CaseIterable, Sendable {
    /// Nobody has the address, or the sender none of the family.
    case noRoute
    /// A link's loss.
    case chance
    case linkDown
    /// Larger than a link's MTU: lost without a word.
    case tooLarge
    case cut
    case udpBlocked
    /// A NAT or firewall lets nobody of that address in.
    case filtered
    case tableFull
    case noHairpin
    /// The host sleeps.
    case suspended
    /// More networks on the way than a packet may pass.
    case looped
}

extension SimulatedNetwork {
    /// The way between a host or router and what it hangs on. *Up* is away from the host.
    package struct Link: Equatable, Sendable {
        /// In each direction.
        package var delay: Nanoseconds
        /// Added to the delay, evenly from 0 to this. Packets stay in order.
        package var jitter: Nanoseconds
        /// Share of the packets lost in each direction, 0...1.
        package var loss: Double
        /// Share of the packets that others overtake: late by another delay, 1 ms at least.
        package var reordering: Double
        package var isUp = true
        /// Longest IP packets that pass, in bytes; longer ones vanish. Nil: any.
        package var mtuUp: Int?
        package var mtuDown: Int?

        package init(
            delay: Nanoseconds, jitter: Nanoseconds = .zero, loss: Double = 0,
            reordering: Double = 0
        ) {
            self.delay = delay
            self.jitter = jitter
            self.loss = loss
            self.reordering = reordering
        }
    }

    enum Direction { case up, down }
}

/// A link, and when the last packet in each direction comes to its end.
struct LinkState {
    var link: SimulatedNetwork.Link
    private var lastUpAt = MonotonicInstant(nanoseconds: 0)
    private var lastDownAt = MonotonicInstant(nanoseconds: 0)

    init(_ link: SimulatedNetwork.Link) { self.link = link }

    /// When a packet that enters now leaves the link.
    mutating func pass(
        _ direction: SimulatedNetwork.Direction, byteCount: Int, at now: MonotonicInstant,
        random: inout SeededRandom
    ) throws(LossReason) -> MonotonicInstant {
        guard link.isUp else { throw .linkDown }
        let mtu = direction == .up ? link.mtuUp : link.mtuDown
        if let mtu, byteCount > mtu { throw .tooLarge }
        if link.loss > 0, random.chance(link.loss) { throw .chance }
        var at = now + link.delay
        if link.jitter.count > 0 {
            at = at + Nanoseconds(count: Int64(random.below(Int(link.jitter.count))))
        }
        if link.reordering > 0, random.chance(link.reordering) {
            return at + max(link.delay, .milliseconds(1))
        }
        switch direction {
        case .up:
            at = max(at, lastUpAt)
            lastUpAt = at
        case .down:
            at = max(at, lastDownAt)
            lastDownAt = at
        }
        return at
    }
}
