import NetTypes

/// What the answers of one report say so far.
struct Measurement {
    let startedAt: MonotonicInstant
    private(set) var latencies: [Int: NetReport.RegionLatency] = [:]
    /// Mapped endpoints in the order they were first seen, with how often.
    private(set) var globalIPv4: [(endpoint: Endpoint, count: Int)] = []
    private(set) var globalIPv6: [(endpoint: Endpoint, count: Int)] = []
    private var firstIPv4: (mapped: Endpoint, server: Endpoint)?
    private(set) var mappingVaries: Bool?
    /// IPv4 servers that answered, one for each address, with the best latency.
    private var ipv4Servers: [(server: Endpoint, latency: Nanoseconds)] = []
    private(set) var slowest = Nanoseconds.zero

    init(startedAt: MonotonicInstant) { self.startedAt = startedAt }

    mutating func note(
        _ mapped: Endpoint, from server: Endpoint, region: Int, latency: Nanoseconds
    ) {
        slowest = max(slowest, latency)
        var entry = latencies[region] ?? NetReport.RegionLatency(region: region)
        if server.address.isIPv4 {
            entry.ipv4 = min(entry.ipv4 ?? latency, latency)
            Self.count(mapped, in: &globalIPv4)
            compareMapping(mapped, server)
            note(server, latency)
        } else {
            entry.ipv6 = min(entry.ipv6 ?? latency, latency)
            Self.count(mapped, in: &globalIPv6)
        }
        latencies[region] = entry
    }

    private mutating func note(_ server: Endpoint, _ latency: Nanoseconds) {
        let known = ipv4Servers.firstIndex { $0.server.address == server.address }
        if let known {
            ipv4Servers[known].latency = min(ipv4Servers[known].latency, latency)
        } else {
            ipv4Servers.append((server, latency))
        }
    }

    /// The nearest IPv4 servers, each with an address of its own.
    func nearestIPv4Servers(_ count: Int) -> [Endpoint] {
        ipv4Servers.sorted { ($0.latency, $0.server) < ($1.latency, $1.server) }
            .prefix(count).map(\.server)
    }

    mutating func note(relay latency: Nanoseconds, region: Int) {
        var entry = latencies[region] ?? NetReport.RegionLatency(region: region)
        entry.relay = min(entry.relay ?? latency, latency)
        latencies[region] = entry
    }

    /// Two destinations that saw different endpoints show a mapping by destination; two that saw the
    /// same make one unlikely.
    private mutating func compareMapping(_ mapped: Endpoint, _ server: Endpoint) {
        guard let first = firstIPv4 else {
            firstIPv4 = (mapped, server)
            return
        }
        guard server != first.server else { return }
        mappingVaries = (mappingVaries ?? false) || mapped != first.mapped
    }

    private static func count(
        _ endpoint: Endpoint, in list: inout [(endpoint: Endpoint, count: Int)]
    ) {
        if let index = list.firstIndex(where: { $0.endpoint == endpoint }) {
            list[index].count += 1
        } else {
            list.append((endpoint, 1))
        }
    }

    /// The first one seen, and others seen twice: some firewalls change a mapping during its life.
    private static func announced(_ list: [(endpoint: Endpoint, count: Int)]) -> [Endpoint] {
        list.enumerated().filter { $0.offset == 0 || $0.element.count >= 2 }
            .map(\.element.endpoint)
    }

    /// Puts the endpoints of a quick report into an older one.
    func renewEndpoints(of report: inout NetReport) {
        report.hasUDP = true
        report.isSilent = false
        if !globalIPv4.isEmpty {
            report.hasIPv4 = true
            report.globalIPv4 = Self.announced(globalIPv4)
        }
        if !globalIPv6.isEmpty {
            report.hasIPv6 = true
            report.globalIPv6 = Self.announced(globalIPv6)
        }
        report.mappingVariesByDestination = mappingVaries ?? report.mappingVariesByDestination
        nameMapping(of: &report)
    }

    /// Servers at several addresses tell whether a mapping depends on the destination, not on what of
    /// it. A finer answer of behaviour discovery stays where it does not contradict.
    private func nameMapping(of report: inout NetReport) {
        switch report.mappingVariesByDestination {
        case false?: report.nat.mapping = .endpointIndependent
        case true? where report.nat.mapping == nil || report.nat.mapping == .endpointIndependent:
            report.nat.mapping = .addressAndPortDependent
        default: break
        }
    }

    /// What an incremental report did not learn again is taken from the previous one.
    func fill(_ report: inout NetReport, previous: NetReport?) {
        report.hasUDP = !globalIPv4.isEmpty || !globalIPv6.isEmpty
        report.hasIPv4 = !globalIPv4.isEmpty
        report.hasIPv6 = !globalIPv6.isEmpty
        report.globalIPv4 = Self.announced(globalIPv4)
        report.globalIPv6 = Self.announced(globalIPv6)
        report.mappingVariesByDestination =
            mappingVaries ?? (report.hasIPv4 ? previous?.mappingVariesByDestination : nil)
        if report.hasIPv4, let previous {
            report.nat = previous.nat
            report.evidence = previous.evidence
        }
        nameMapping(of: &report)
        report.latencies = latencies.values.sorted { $0.region < $1.region }
    }
}
