import LocalAPI
import NetTypes

/// `skein netcheck` for people.
struct NetcheckText {
    var report: NetcheckReport

    var lines: [String] {
        var lines = [
            "Report:",
            "\t* UDP: \(report.udp)",
            "\t* IPv4: \(reach(report.ipv4, report.globalIPv4))",
            "\t* IPv6: \(reach(report.ipv6, report.globalIPv6))",
            "\t* MappingVariesByDestIP: \(text(report.mappingVariesByDestination))",
            "\t* PortMapping: \(portMapping)",
        ]
        if let captive = report.captivePortal { lines.append("\t* CaptivePortal: \(captive)") }
        guard !report.latencies.isEmpty else {
            return lines + ["\t* Nearest relay: unknown (no answer from any)"]
        }
        let nearest = report.regions[report.preferredRelay]?.name ?? "\(report.preferredRelay)"
        lines += ["\t* Nearest relay: \(nearest)", "\t* Relay latency:"]
        let regions = report.latencies.sorted { ($0.value, $0.key) < ($1.value, $1.key) }
        let rows = regions.map { id, nanoseconds in
            let region = report.regions[id]
            return [
                "\t\t- \(region?.code ?? String(id)):",
                Milliseconds.text(Double(nanoseconds) / 1e9),
                region.map { "(\($0.name))" } ?? "",
            ]
        }
        return lines + Table.lines(rows)
    }

    private func reach(_ works: Bool, _ endpoint: Endpoint?) -> String {
        works ? "yes" + (endpoint.map { ", \($0)" } ?? "") : "no"
    }

    private func text(_ value: Bool?) -> String { value.map { "\($0)" } ?? "unknown" }

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
