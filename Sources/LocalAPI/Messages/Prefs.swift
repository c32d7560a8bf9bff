package import ControlMessages
package import NetTypes

/// The settings a person chose, kept across restarts. The JSON has the member names of Tailscale's.
package struct Prefs: Equatable, Sendable {
    /// Base URL of the coordination server; empty until one was named.
    package var controlURL = ""
    /// Whether to use the routes that other nodes offer.
    package var acceptsRoutes = false
    /// Whether to use the network's names and DNS servers.
    package var acceptsDNS = true
    /// Whether the tunnel is to be up.
    package var wantsRunning = false
    package var isLoggedOut = false
    /// Whether to refuse all connections from peers.
    package var shieldsUp = false
    /// Whether to ask gateways for a port.
    package var mapsPorts = true
    /// Whether to try many ports where a NAT gives each destination one of its own.
    package var searchesHardNAT = true
    /// The name to be known by; empty for the name of the machine.
    package var hostname = ""
    package var advertisedTags: [String] = []
    package var advertisedRoutes: [IPPrefix] = []
    /// The user who, besides root, may change this node; empty for none.
    package var operatorUser = ""
    /// The UDP port on which to relay for peers; 0 for any, nil for not relaying.
    package var relayServerPort: UInt16?
    /// Where peers reach that relay besides what the node finds out for itself.
    package var relayServerStaticEndpoints: [Endpoint] = []
    /// A PEM file with the machine's certificate and intermediates; empty for none.
    package var machineCertificate = ""
    /// A PEM file with the certificate's key, or a PKCS#11 URI.
    package var machineCertificateKey = ""

    package init() {}
}

/// The settings to change; nil leaves one as it is.
package struct PrefsChange: Equatable, Sendable {
    package var controlURL: String?
    package var acceptsRoutes: Bool?
    package var acceptsDNS: Bool?
    package var wantsRunning: Bool?
    package var isLoggedOut: Bool?
    package var shieldsUp: Bool?
    package var mapsPorts: Bool?
    package var searchesHardNAT: Bool?
    package var hostname: String?
    package var advertisedTags: [String]?
    package var advertisedRoutes: [IPPrefix]?
    package var operatorUser: String?
    /// The inner nil switches relaying off.
    package var relayServerPort: UInt16??
    package var relayServerStaticEndpoints: [Endpoint]?
    package var machineCertificate: String?
    package var machineCertificateKey: String?

    package init() {}

    package var isEmpty: Bool { self == PrefsChange() }
}

extension Prefs {
    /// Sets what `change` names and leaves the rest.
    package mutating func apply(_ change: PrefsChange) {
        controlURL = change.controlURL ?? controlURL
        acceptsRoutes = change.acceptsRoutes ?? acceptsRoutes
        acceptsDNS = change.acceptsDNS ?? acceptsDNS
        wantsRunning = change.wantsRunning ?? wantsRunning
        isLoggedOut = change.isLoggedOut ?? isLoggedOut
        shieldsUp = change.shieldsUp ?? shieldsUp
        mapsPorts = change.mapsPorts ?? mapsPorts
        searchesHardNAT = change.searchesHardNAT ?? searchesHardNAT
        hostname = change.hostname ?? hostname
        advertisedTags = change.advertisedTags ?? advertisedTags
        advertisedRoutes = change.advertisedRoutes ?? advertisedRoutes
        operatorUser = change.operatorUser ?? operatorUser
        relayServerPort = change.relayServerPort ?? relayServerPort
        relayServerStaticEndpoints =
            change.relayServerStaticEndpoints ?? relayServerStaticEndpoints
        machineCertificate = change.machineCertificate ?? machineCertificate
        machineCertificateKey = change.machineCertificateKey ?? machineCertificateKey
    }
}

extension Prefs: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        controlURL = try object.read("ControlURL", or: "")
        acceptsRoutes = try object.read("RouteAll", or: false)
        acceptsDNS = try object.read("CorpDNS", or: true)
        wantsRunning = try object.read("WantRunning", or: false)
        isLoggedOut = try object.read("LoggedOut", or: false)
        shieldsUp = try object.read("ShieldsUp", or: false)
        mapsPorts = try object.read("PortMapping", or: true)
        searchesHardNAT = try object.read("HardNAT", or: true)
        hostname = try object.read("Hostname", or: "")
        advertisedTags = try object.read("AdvertiseTags", or: [])
        advertisedRoutes = try object.read("AdvertiseRoutes", or: [])
        operatorUser = try object.read("OperatorUser", or: "")
        relayServerPort = try object.optional("RelayServerPort")
        let endpoints = try object.read("RelayServerStaticEndpoints", or: [String]())
        relayServerStaticEndpoints = try endpoints.map { (text) throws(MessageDecodingError) in
            guard let endpoint = Endpoint(text) else {
                throw MessageDecodingError(
                    path: "RelayServerStaticEndpoints",
                    .unreadable(expected: "addresses with ports"))
            }
            return endpoint
        }
        machineCertificate = try object.read("MachineCertificate", or: "")
        machineCertificateKey = try object.read("MachineCertificateKey", or: "")
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("ControlURL", controlURL)
            writer.keep("RouteAll", acceptsRoutes)
            writer.keep("CorpDNS", acceptsDNS)
            writer.keep("WantRunning", wantsRunning)
            writer.keep("LoggedOut", isLoggedOut)
            writer.keep("ShieldsUp", shieldsUp)
            writer.keep("PortMapping", mapsPorts)
            writer.keep("HardNAT", searchesHardNAT)
            writer.keep("AdvertiseTags", advertisedTags)
            writer.keep("Hostname", hostname)
            writer.keep("AdvertiseRoutes", advertisedRoutes)
            writer.omit("OperatorUser", operatorUser)
            if let relayServerPort { writer.keep("RelayServerPort", relayServerPort) }
            writer.omit(
                "RelayServerStaticEndpoints", relayServerStaticEndpoints.map(\.description))
            writer.omit("MachineCertificate", machineCertificate)
            writer.omit("MachineCertificateKey", machineCertificateKey)
        }
    }
}

/// A masked form: each member that is to be set is named a second time with `Set` at its end.
extension PrefsChange: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        let prefs = try Prefs(json: json)
        for member in object.members where member.name.hasSuffix("Set") {
            guard member.value == .bool(true) else { continue }
            switch member.name.dropLast(3) {
            case "ControlURL": controlURL = prefs.controlURL
            case "RouteAll": acceptsRoutes = prefs.acceptsRoutes
            // The value of a masked form defaults to false, unlike that of a stored one.
            case "CorpDNS": acceptsDNS = try object.read("CorpDNS", or: false)
            case "WantRunning": wantsRunning = prefs.wantsRunning
            case "LoggedOut": isLoggedOut = prefs.isLoggedOut
            case "ShieldsUp": shieldsUp = prefs.shieldsUp
            case "PortMapping": mapsPorts = try object.read("PortMapping", or: false)
            case "HardNAT": searchesHardNAT = try object.read("HardNAT", or: false)
            case "AdvertiseTags": advertisedTags = prefs.advertisedTags
            case "Hostname": hostname = prefs.hostname
            case "AdvertiseRoutes": advertisedRoutes = prefs.advertisedRoutes
            case "OperatorUser": operatorUser = prefs.operatorUser
            case "RelayServerPort": relayServerPort = .some(prefs.relayServerPort)
            case "RelayServerStaticEndpoints":
                relayServerStaticEndpoints = prefs.relayServerStaticEndpoints
            case "MachineCertificate": machineCertificate = prefs.machineCertificate
            case "MachineCertificateKey": machineCertificateKey = prefs.machineCertificateKey
            default:
                throw MessageDecodingError(
                    path: member.name, .unreadable(expected: "a setting this node has"))
            }
        }
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            func set(_ name: String, _ value: (some JSONWritable)?) {
                guard let value else { return }
                writer.keep(name, value)
                writer.keep(name + "Set", true)
            }
            set("ControlURL", controlURL)
            set("RouteAll", acceptsRoutes)
            set("CorpDNS", acceptsDNS)
            set("WantRunning", wantsRunning)
            set("LoggedOut", isLoggedOut)
            set("ShieldsUp", shieldsUp)
            set("PortMapping", mapsPorts)
            set("HardNAT", searchesHardNAT)
            set("AdvertiseTags", advertisedTags)
            set("Hostname", hostname)
            set("AdvertiseRoutes", advertisedRoutes)
            set("OperatorUser", operatorUser)
            set("RelayServerStaticEndpoints", relayServerStaticEndpoints?.map(\.description))
            if let port = relayServerPort {
                if let port {
                    writer.keep("RelayServerPort", port)
                } else {
                    writer.keep("RelayServerPort", JSON.null)
                }
                writer.keep("RelayServerPortSet", true)
            }
            set("MachineCertificate", machineCertificate)
            set("MachineCertificateKey", machineCertificateKey)
        }
    }
}

extension StartOptions: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        let key = try object.read("AuthKey", or: "")
        authKey = key.isEmpty ? nil : key
        renewsKey = try object.read("SkeinRenewsKey", or: false)
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.omit("AuthKey", authKey ?? "")
            writer.omit("SkeinRenewsKey", renewsKey)
        }
    }
}
