import NetTypes

/// Chooses the relay region where peers find us: the nearest, but calmly.
enum HomeChoice {
    struct Region {
        let id: Int
        /// Best latency of the last minutes times the region's score; nil when never measured.
        let cost: Nanoseconds?
        /// Answered in this report, or heard through the relay lately.
        let isReachable: Bool
    }

    /// `regions` are those allowed as home, `old` the present home.
    static func home(among regions: [Region], old: Int?) -> Int? {
        let present = regions.first { $0.id == old }
        let best = regions.filter { $0.isReachable && $0.cost != nil }
            .min { ($0.cost ?? .zero, $0.id) < ($1.cost ?? .zero, $1.id) }
        guard let best, let bestCost = best.cost else { return present?.id }
        guard let present, present.isReachable else { return best.id }
        guard let presentCost = present.cost else { return present.id }
        let isMuchBetter =
            presentCost - bestCost >= NetReportTiming.homeMargin
            && bestCost * 3 <= presentCost * 2
        return isMuchBetter ? best.id : present.id
    }
}
