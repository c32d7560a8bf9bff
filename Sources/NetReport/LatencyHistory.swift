import NetTypes

/// The latencies of each region over the last five minutes.
struct LatencyHistory {
    private struct Sample {
        let at: MonotonicInstant
        let latency: Nanoseconds
    }
    private var samples: [Int: [Sample]] = [:]

    mutating func note(_ latency: Nanoseconds, of region: Int, at now: MonotonicInstant) {
        var list = samples[region, default: []]
        list.removeAll { now - $0.at > NetReportTiming.historyDuration }
        if list.count == NetReportTiming.historyMax { list.removeFirst() }
        list.append(Sample(at: now, latency: latency))
        samples[region] = list
    }

    func best(of region: Int, at now: MonotonicInstant) -> Nanoseconds? {
        samples[region]?.filter { now - $0.at <= NetReportTiming.historyDuration }
            .map(\.latency).min()
    }

    mutating func removeAll() { samples.removeAll() }
}
