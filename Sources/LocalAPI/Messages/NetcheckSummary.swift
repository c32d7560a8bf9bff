internal import NetTypes

extension NetcheckReport {
    /// One sentence, or two, on what all of it means for direct connections.
    package var summary: String {
        if captivePortal == true {
            return "This network wants a login first: open a web page in a browser."
        }
        guard udp else {
            return latencies.isEmpty
                ? "Nothing answers: this machine is offline, or a firewall stops all it sends."
                : "UDP is blocked here: all connections go through relays."
        }
        let fromIPv6 =
            ipv6
            ? " IPv6 works as well and needs no NAT, so peers that have it connect directly." : ""
        guard ipv4 else { return "There is no IPv4 here; peers with IPv6 connect directly." }
        return ipv4Summary + fromIPv6
    }

    private var ipv4Summary: String {
        if upnp == true || natPMP == true || pcp == true {
            return "The router opens ports on request: every peer can connect directly."
        }
        if isBehindNAT == false {
            return nat.filtering == .endpointIndependent
                ? "No NAT and no firewall is in the way: every peer can connect directly."
                : "No NAT is in the way. A firewall lets in only what was asked for, which peers"
                    + " open from both sides: direct connections work."
        }
        switch nat.mapping {
        case .addressDependent, .addressAndPortDependent: return hardSummary
        case .endpointIndependent, nil: return easySummary
        }
    }

    private var easySummary: String {
        switch nat.filtering {
        case .endpointIndependent:
            "The NAT is easy and lets everybody in: every peer can connect directly."
        case .addressDependent:
            "The NAT is easy: nearly every peer connects directly, those behind hard NATs too."
        case .addressAndPortDependent, nil:
            "The NAT is easy: peers behind NATs like it connect directly; with one behind a hard"
                + " NAT that takes a search of some seconds, or stays with a relay."
        }
    }

    private var hardSummary: String {
        switch nat.allocation {
        case .preserving, .sequential, .contiguousBlock:
            "The NAT is hard, but its ports can be guessed: peers behind easy NATs connect directly;"
                + " with one behind another hard NAT it may stay with a relay."
        case .random, nil:
            "The NAT is hard and its ports are random: peers without NAT connect directly, those"
                + " behind easy ones after a search, and those behind hard ones through a relay."
        }
    }
}
