import ArgumentParser
import LocalAPI
import NetTypes

/// The settings that `up` and `set` can change. What is not named stays as it is.
struct PrefsOptions: ParsableArguments {
    @Option(help: "The name of this machine in the network.")
    var hostname: String?

    @Option(help: "Use the network's names and DNS servers: --accept-dns=false turns it off.")
    var acceptDNS: Bool?

    @Option(help: "Use the routes that other machines offer.")
    var acceptRoutes: Bool?

    @Option(help: "Refuse connections from other machines.")
    var shieldsUp: Bool?

    @Option(help: "Ask the router for a port at which others reach this machine.")
    var portMapping: Bool?

    @Option(
        help: "Try many ports to get through NATs that use another one for each destination.")
    var hardNAT: Bool?

    @Option(help: "Offer these routes to others, such as 192.168.1.0/24,10.0.0.0/8; \"\" for none.")
    var advertiseRoutes: String?

    @Option(help: "Ask for these tags, such as tag:server,tag:db; \"\" for none.")
    var advertiseTags: String?

    @Option(help: "A user who may, besides root, change this node; \"\" for none.")
    var `operator`: String?

    @Option(
        help: """
            Relay UDP for others on this port where an administrator allows it; 0 for any port, \"\" \
            for none.
            """)
    var relayServerPort: String?

    @Option(
        help: """
            Where others reach that relay besides what it finds out, such as 203.0.113.7:40000; \
            \"\" for nowhere else.
            """)
    var relayServerStaticEndpoints: String?

    @Option(help: "Prove what this machine is by its certificate, a PEM file; \"\" for none.")
    var machineCert: String?

    @Option(
        help: "The certificate's key: a PEM file that only its owner may read, or a PKCS#11 URI.")
    var machineKey: String?

    func change() throws -> PrefsChange {
        var change = PrefsChange()
        change.hostname = hostname
        change.acceptsDNS = acceptDNS
        change.acceptsRoutes = acceptRoutes
        change.shieldsUp = shieldsUp
        change.mapsPorts = portMapping
        change.searchesHardNAT = hardNAT
        change.advertisedRoutes = try advertiseRoutes.map { text in
            try list(text).map { item in
                guard let prefix = IPPrefix(item), prefix.masked == prefix else {
                    throw ValidationError(
                        "--advertise-routes: \(item) is not a route such as 192.168.1.0/24")
                }
                return prefix
            }
        }
        change.advertisedTags = try advertiseTags.map { text in
            try list(text).map { item in
                guard item.hasPrefix("tag:"), item.count > 4 else {
                    throw ValidationError(
                        "--advertise-tags: a tag looks like tag:server, not \(item)")
                }
                return item
            }
        }
        change.operatorUser = self.operator
        change.relayServerPort = try relayServerPort.map { text -> UInt16? in
            if text.isEmpty { return nil }
            guard let port = UInt16(text) else {
                throw ValidationError("--relay-server-port: \(text) is not a port")
            }
            return port
        }
        change.relayServerStaticEndpoints = try relayServerStaticEndpoints.map {
            text -> [Endpoint] in
            try list(text).map { item in
                guard let endpoint = Endpoint(item), endpoint.port != 0 else {
                    throw ValidationError(
                        "--relay-server-static-endpoints: \(item) is not an address with a port, "
                            + "such as 203.0.113.7:40000")
                }
                return endpoint
            }
        }
        try nameCertificate(in: &change)
        return change
    }

    /// The daemon reads the files, from wherever it runs, so their paths have to be whole.
    private func nameCertificate(in change: inout PrefsChange) throws {
        if machineCert == "" {
            guard (machineKey ?? "").isEmpty else {
                throw ValidationError("--machine-key needs --machine-cert beside it")
            }
            change.machineCertificate = ""
            change.machineCertificateKey = ""
            return
        }
        guard (machineCert == nil) == (machineKey == nil) else {
            throw ValidationError("--machine-cert and --machine-key belong together")
        }
        change.machineCertificate = machineCert.map(TextFile.absolutePath)
        change.machineCertificateKey = machineKey.map {
            $0.hasPrefix("pkcs11:") ? $0 : TextFile.absolutePath($0)
        }
    }

    private func list(_ text: String) -> [String] {
        text.split(separator: ",").map(String.init)
    }
}
