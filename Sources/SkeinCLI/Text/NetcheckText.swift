import LocalAPI
import NetTypes

/// `skein netcheck` for people.
struct NetcheckText {
    var report: NetcheckReport

    var lines: [String] {
        var lines = [
            "Report:",
            "\t* UDP: \(report.udp ? "yes" : "blocked")",
            "\t* IPv4: \(reach(report.ipv4, report.globalIPv4))",
            "\t* IPv6: \(reach(report.ipv6, report.globalIPv6))",
        ]
        if let prefix = report.nat64Prefix { lines.append("\t* NAT64: \(prefix)") }
        lines += natLines
        lines.append("\t* PortMapping: \(portMapping)")
        if let captive = report.captivePortal {
            lines.append("\t* CaptivePortal: \(captive ? "yes" : "no")")
        }
        return lines + relayLines + ["", report.summary]
    }

    private var natLines: [String] {
        guard report.ipv4 else { return [] }
        if report.isBehindNAT == false {
            return ["\t* NAT: none"]
                + (report.nat.filtering.map { ["\t* Firewall: \(filtering($0))"] } ?? [])
        }
        return ["\t* NAT:"]
            + Table.lines([
                ["\t\t- mapping:", mapping],
                ["\t\t- filtering:", report.nat.filtering.map(filtering) ?? "unknown"],
                ["\t\t- port allocation:", allocation],
                ["\t\t- hairpinning:", report.nat.hairpins.map { $0 ? "yes" : "no" } ?? "unknown"],
                ["\t\t- lifetime:", lifetime],
            ])
    }

    private var mapping: String {
        switch report.nat.mapping {
        case .endpointIndependent: "endpoint-independent (easy: one port for all destinations)"
        case .addressDependent: "address-dependent (hard: a port for each address)"
        case .addressAndPortDependent:
            "address-and-port-dependent (hard: a port for each destination)"
        case nil: "unknown (no two servers to compare)"
        }
    }

    private func filtering(_ filtering: NATBehavior.Dependence) -> String {
        let name = NetcheckReport.Dependence.name(filtering)
        if report.isFilteringBound { return "\(name) or less (the server has one address only)" }
        return switch filtering {
        case .endpointIndependent: "\(name) (anybody may send in)"
        case .addressDependent: "\(name) (hosts that were sent to may send in)"
        case .addressAndPortDependent: "\(name) (endpoints that were sent to may send in)"
        }
    }

    private var allocation: String {
        switch report.nat.allocation {
        case .preserving: "preserving (outside as inside)"
        case .sequential(let step): "sequential (steps of \(step))"
        case .contiguousBlock(let ports):
            "in a block, about \(ports.lowerBound)-\(ports.upperBound)"
        case .random: "random"
        case nil: "unknown"
        }
    }

    private var lifetime: String {
        report.mappingLifetime.map { "\($0) s without a packet are safe" }
            ?? "not known yet (it is learned while peers are spoken to)"
    }

    private var relayLines: [String] {
        guard !report.latencies.isEmpty else {
            return ["\t* Nearest relay: unknown (no answer from any)"]
        }
        let nearest = report.regions[report.preferredRelay]?.name ?? "\(report.preferredRelay)"
        let regions = report.latencies.sorted { ($0.value, $0.key) < ($1.value, $1.key) }
        let rows = regions.map { id, nanoseconds in
            let region = report.regions[id]
            return [
                "\t\t- \(region?.code ?? String(id)):",
                Milliseconds.text(Double(nanoseconds) / 1e9),
                region.map { "(\($0.name))" } ?? "",
            ]
        }
        return ["\t* Nearest relay: \(nearest)", "\t* Relay latency:"] + Table.lines(rows)
    }

    private func reach(_ works: Bool, _ endpoint: Endpoint?) -> String {
        works ? "yes" + (endpoint.map { ", \($0)" } ?? "") : "no"
    }

    private var portMapping: String {
        let known = [("UPnP", report.upnp), ("NAT-PMP", report.natPMP), ("PCP", report.pcp)]
        let found = known.filter { $0.1 == true }.map(\.0)
        if found.isEmpty { return known.allSatisfy { $0.1 == nil } ? "not asked" : "none" }
        let ports = report.portMappings.sorted { $0.key < $1.key }
            .map { "\($0.key) for \($0.value) s" }
        return ([found.joined(separator: ", ")] + ports).joined(separator: "; ")
    }
}

enum Milliseconds {
    /// `0.4ms`, `12ms`: a tenth below ten, whole ones above.
    static func text(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds >= 0, seconds < 1e6 else { return "?" }
        let tenths = Int((seconds * 10_000).rounded())
        return tenths < 100 ? "\(tenths / 10).\(tenths % 10)ms" : "\((tenths + 5) / 10)ms"
    }
}
