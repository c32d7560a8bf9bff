package import NetTypes

/// What was learned of how long the NAT of one network keeps a mapping that no packet passes: for
/// `NetReportEngine.setLearnedLifetimes` of a later run.
package struct LearnedLifetime: Equatable, Sendable {
    /// The network is known by the address that the internet sees.
    package var address: IPAddress
    /// How long a mapping may rest and still be there, with a margin. Nil: what was believed has
    /// proved wrong.
    package var safeGap: Nanoseconds?
    /// How often that happened. After three times the network is left at the defaults.
    package var disproofs: Int

    package init(address: IPAddress, safeGap: Nanoseconds?, disproofs: Int = 0) {
        self.address = address
        self.safeGap = safeGap
        self.disproofs = disproofs
    }

    /// How many networks are remembered.
    package static var networksMax: Int { LifetimeTiming.networksMax }
}

extension NetReportEngine {
    /// Those of the networks of which something is known, the newest last.
    package var learnedLifetimes: [LearnedLifetime] {
        lifetimes.networks.filter { $0.safeGap != nil || $0.disproofs > 0 }.map {
            LearnedLifetime(address: $0.address, safeGap: $0.safeGap, disproofs: $0.disproofs)
        }
    }

    /// What an earlier run has learned, the newest last. It holds from the next report on; times
    /// below the field's defaults are not believed, and long ones cut.
    package mutating func setLearnedLifetimes(_ learned: [LearnedLifetime]) {
        for one in learned.suffix(LifetimeTiming.networksMax) {
            let safeGap = one.safeGap.flatMap {
                $0 >= LifetimeTiming.floor ? min($0, LifetimeTiming.safeGapMax) : nil
            }
            let disproofs = min(max(one.disproofs, 0), LifetimeTiming.disproofsMax)
            guard safeGap != nil || disproofs > 0 else { continue }
            lifetimes.update(one.address) {
                $0.safeGap = safeGap
                $0.disproofs = disproofs
                $0.isSettled = safeGap != nil || disproofs == LifetimeTiming.disproofsMax
            }
        }
    }
}
