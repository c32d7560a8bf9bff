package import NetTypes

/// Looking for a gateway by SSDP (UPnP Device Architecture 1.1 §1.3).
package enum SSDPRequest {
    package static var multicastIPv4: IPAddress { .v4(IPv4Address(239, 255, 255, 250)) }
    /// Of this link only.
    package static var multicastIPv6: IPAddress {
        .v6(IPv6Address(high: 0xFF02_0000_0000_0000, low: 0xC))
    }

    /// The kind of device that is a gateway; those of version 2 answer to version 1 as well.
    private static var target: String {
        "urn:schemas-upnp-org:device:InternetGatewayDevice:1"
    }

    /// A search for gateways, to be sent to `destination`.
    package static func search(to destination: Endpoint) -> [UInt8] {
        Array(
            """
            M-SEARCH * HTTP/1.1\r
            HOST: \(destination)\r
            ST: \(target)\r
            MAN: "ssdp:discover"\r
            MX: 1\r
            \r\n
            """.utf8)
    }
}

/// A gateway's answer to a search: where it describes itself.
package struct SSDPResponse: Equatable, Sendable {
    package static var maximumByteCount: Int { 2048 }

    /// The host is what the sender says: connect to the sender instead.
    package var location: HTTPLocation

    package init(parsing bytes: RawSpan) throws(PortMappingParseError) {
        guard bytes.byteCount <= Self.maximumByteCount else { throw .tooLong(bytes.byteCount) }
        let lines = HTTPHead.lines(bytes.array)
        guard let first = lines.first, HTTPHead.status(first) == 200 else { throw .malformed }
        var location: HTTPLocation?
        var isGateway = false
        for line in lines.dropFirst() {
            guard let (name, value) = HTTPHead.field(line) else { continue }
            switch name {
            case "location": location = location ?? HTTPLocation(value)
            case "st", "usn": isGateway = isGateway || value.contains(":InternetGatewayDevice:")
            default: continue
            }
        }
        guard isGateway, let location else { throw .malformed }
        self.location = location
    }
}

/// `http://ADDRESS[:PORT]/PATH`, the only form of URL that a gateway's device needs.
package struct HTTPLocation: Hashable, Sendable {
    package var host: IPAddress
    package var port: UInt16
    /// Begins with `/`; with its query, without a fragment.
    package var path: String

    package init(host: IPAddress, port: UInt16, path: String) {
        self.host = host
        self.port = port
        self.path = path
    }

    package init?(_ text: String) {
        let scheme = "http://"
        guard text.utf8.count <= 512, text.lowercased().hasPrefix(scheme),
            Self.isClean(text)
        else { return nil }
        let rest = text.dropFirst(scheme.count)
        let end = rest.firstIndex(of: "/") ?? rest.endIndex
        let authority = rest[..<end]
        path = end == rest.endIndex ? "/" : String(rest[end...])
        if let endpoint = Endpoint(authority) {
            guard endpoint.port != 0 else { return nil }
            host = endpoint.address
            port = endpoint.port
        } else if let address = IPv4Address(authority) {
            host = .v4(address)
            port = 80
        } else if authority.hasPrefix("["), authority.hasSuffix("]"),
            let address = IPv6Address(authority.dropFirst().dropLast())
        {
            host = .v6(address)
            port = 80
        } else {
            return nil
        }
    }

    /// Reads `reference` (RFC 3986 §4.2) as found in a document that this location has. Nil when it
    /// leads to another host.
    package func resolving(_ reference: String) -> HTTPLocation? {
        guard !reference.isEmpty, reference.utf8.count <= 512, Self.isClean(reference) else {
            return nil
        }
        if reference.contains("://") || reference.hasPrefix("//") {
            guard let other = HTTPLocation(reference), other.host == host else { return nil }
            return other
        }
        if reference.hasPrefix("/") {
            return HTTPLocation(host: host, port: port, path: reference)
        }
        let folder = path.prefix { $0 != "?" }
        let end = folder.lastIndex(of: "/") ?? folder.startIndex
        return HTTPLocation(host: host, port: port, path: "\(folder[...end])\(reference)")
    }

    /// Printable ASCII without spaces, so that it can stand in a request as it is.
    private static func isClean(_ text: String) -> Bool {
        text.utf8.allSatisfy { (0x21...0x7E).contains($0) } && !text.contains("#")
    }
}
