package import NetTypes

/// What is asked of a UPnP gateway (WANIPConnection:2 §2.5, WANIPv6FirewallControl:1 §2.5).
/// Lifetimes are in seconds.
package enum GatewayAction: Equatable, Sendable {
    case getExternalIPAddress
    /// A lifetime of 0 is for ever.
    case addPortMapping(external: UInt16, internal: Endpoint, lifetime: UInt32)
    /// The gateway chooses another external port when that one is taken (version 2 only).
    case addAnyPortMapping(external: UInt16, internal: Endpoint, lifetime: UInt32)
    case deletePortMapping(external: UInt16)
    case getFirewallStatus
    case addPinhole(internal: Endpoint, lifetime: UInt32)
    case updatePinhole(id: UInt16, lifetime: UInt32)
    case deletePinhole(id: UInt16)

    /// How gateways list our mappings to people.
    package static var description: String { "skein" }

    private var name: String {
        switch self {
        case .getExternalIPAddress: "GetExternalIPAddress"
        case .addPortMapping: "AddPortMapping"
        case .addAnyPortMapping: "AddAnyPortMapping"
        case .deletePortMapping: "DeletePortMapping"
        case .getFirewallStatus: "GetFirewallStatus"
        case .addPinhole: "AddPinhole"
        case .updatePinhole: "UpdatePinhole"
        case .deletePinhole: "DeletePinhole"
        }
    }

    /// In the order of the standard, on which some gateways insist.
    private var arguments: [(String, String)] {
        switch self {
        case .getExternalIPAddress, .getFirewallStatus: []
        case .addPortMapping(let external, let target, let lifetime),
            .addAnyPortMapping(let external, let target, let lifetime):
            [
                ("NewRemoteHost", ""), ("NewExternalPort", "\(external)"),
                ("NewProtocol", "UDP"), ("NewInternalPort", "\(target.port)"),
                ("NewInternalClient", "\(target.address)"), ("NewEnabled", "1"),
                ("NewPortMappingDescription", Self.description),
                ("NewLeaseDuration", "\(lifetime)"),
            ]
        case .deletePortMapping(let external):
            [
                ("NewRemoteHost", ""), ("NewExternalPort", "\(external)"),
                ("NewProtocol", "UDP"),
            ]
        case .addPinhole(let target, let lifetime):
            [
                ("RemoteHost", ""), ("RemotePort", "0"),
                ("InternalClient", "\(target.address)"), ("InternalPort", "\(target.port)"),
                ("Protocol", "17"), ("LeaseTime", "\(lifetime)"),
            ]
        case .updatePinhole(let id, let lifetime):
            [("UniqueID", "\(id)"), ("NewLeaseTime", "\(lifetime)")]
        case .deletePinhole(let id): [("UniqueID", "\(id)")]
        }
    }

    /// The whole HTTP request.
    package func request(to service: GatewayDescription.Service) -> [UInt8] {
        let type = service.kind.rawValue
        let values = arguments.map { "<\($0)>\(TagScanner.escaped($1))</\($0)>" }.joined()
        return HTTPRequest.post(
            service.control, service: type, action: name,
            body: """
                <?xml version="1.0"?>
                <s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" \
                s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>\
                <u:\(name) xmlns:u="\(type)">\(values)</u:\(name)></s:Body></s:Envelope>\r\n
                """)
    }
}
