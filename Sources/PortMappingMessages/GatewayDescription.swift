import NetTypes

/// The services by which a UPnP gateway opens ports, with where each is called.
package struct GatewayDescription: Equatable, Sendable {
    package struct Service: Hashable, Sendable {
        package var kind: Kind
        package var control: HTTPLocation

        package init(kind: Kind, control: HTTPLocation) {
            self.kind = kind
            self.control = control
        }
    }

    /// Best first.
    package enum Kind: String, CaseIterable, Sendable {
        case wanIPConnection2 = "urn:schemas-upnp-org:service:WANIPConnection:2"
        case wanIPConnection1 = "urn:schemas-upnp-org:service:WANIPConnection:1"
        case wanPPPConnection1 = "urn:schemas-upnp-org:service:WANPPPConnection:1"
        case ipv6Firewall1 = "urn:schemas-upnp-org:service:WANIPv6FirewallControl:1"
    }

    private static var serviceCountMax: Int { 8 }

    /// In the order of `Kind`, then as described.
    package private(set) var services: [Service] = []

    /// Reads the document found at `location`, at most as much as `HTTPResponseReader` collects.
    /// Services that lead to another host than `location`'s are left out.
    package init(parsing bytes: [UInt8], at location: HTTPLocation) throws(PortMappingParseError) {
        guard bytes.count <= HTTPResponseReader.maximumByteCount else {
            throw .tooLong(bytes.count)
        }
        var scanner = TagScanner(bytes)
        var element = ""
        var type = ""
        var control = ""
        var base = location
        var found: [(Kind, String)] = []
        while let token = try scanner.next() {
            switch token {
            case .open(let name):
                element = name
                if name == "service" { (type, control) = ("", "") }
            case .text(let text):
                switch element {
                case "serviceType": type = text
                case "controlURL": control = text
                case "URLBase": base = location.resolving(text) ?? location
                default: continue
                }
            case .close(let name):
                element = ""
                guard name == "service", let kind = Kind(rawValue: type),
                    found.count < Self.serviceCountMax
                else { continue }
                found.append((kind, control))
            }
        }
        for kind in Kind.allCases {
            for (_, control) in found.filter({ $0.0 == kind }) {
                guard let location = base.resolving(control) else { continue }
                services.append(Service(kind: kind, control: location))
            }
        }
    }
}

/// The answer of a gateway's service: values by name, or an error number (UPnP Device Architecture
/// 1.1 §3.2).
package struct SOAPResponse: Equatable, Sendable {
    /// Of a fault; nil when the call succeeded.
    package private(set) var errorCode: Int?
    private var values: [String: String] = [:]

    private static var valueCountMax: Int { 32 }

    package init(parsing response: HTTPResponse) throws(PortMappingParseError) {
        guard response.body.count <= HTTPResponseReader.maximumByteCount else {
            throw .tooLong(response.body.count)
        }
        guard response.status == 200 || response.status == 500 else { throw .malformed }
        var scanner = TagScanner(response.body)
        var element = ""
        var isInBody = false
        var isFault = false
        while let token = try scanner.next() {
            switch token {
            case .open(let name):
                element = name
                if name == "Body" { isInBody = true }
                if name == "Fault", isInBody { isFault = true }
            case .text(let text):
                guard isInBody, !element.isEmpty, values[element] == nil,
                    values.count < Self.valueCountMax
                else { continue }
                values[element] = text
            case .close: element = ""
            }
        }
        guard isInBody else { throw .malformed }
        if isFault || response.status == 500 {
            errorCode = number("errorCode", in: 1...9999) ?? 501
        }
    }

    package subscript(name: String) -> String? { values[name] }

    /// A decimal number in `range`.
    package func number(_ name: String, in range: ClosedRange<Int>) -> Int? {
        guard let text = values[name], text.utf8.count <= 10,
            text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let value = Int(text),
            range.contains(value)
        else { return nil }
        return value
    }
}
