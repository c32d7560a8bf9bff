/// How names are resolved in the network (control protocol §6.9).
package struct DNSConfig: Equatable, Sendable {
    /// Used for everything, in place of the system's own.
    package var resolvers: [DNSResolver]
    /// Used where split DNS needs a default.
    package var fallbackResolvers: [DNSResolver]
    /// Resolvers by suffix; an empty list is answered by MagicDNS itself.
    package var routes: [String: [DNSResolver]]
    /// Search domains, without trailing dot.
    package var domains: [String]
    /// Whether MagicDNS is on.
    package var isProxied: Bool
    package var certificateDomains: [String]
    package var extraRecords: [DNSRecord]
    package var exitNodeFilteredSuffixes: [String]

    package init() {
        resolvers = []
        fallbackResolvers = []
        routes = [:]
        domains = []
        isProxied = false
        certificateDomains = []
        extraRecords = []
        exitNodeFilteredSuffixes = []
    }
}

extension DNSConfig: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        resolvers = try object.read("Resolvers", or: [])
        fallbackResolvers = try object.read("FallbackResolvers", or: [])
        routes = try object.read("Routes", or: [String: [DNSResolver]?]()).mapValues { $0 ?? [] }
        domains = try object.read("Domains", or: [])
        isProxied = try object.read("Proxied", or: false)
        certificateDomains = try object.read("CertDomains", or: [])
        extraRecords = try object.read("ExtraRecords", or: [])
        exitNodeFilteredSuffixes = try object.read("ExitNodeFilteredSet", or: [])
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.omit("Resolvers", resolvers)
            writer.omit("FallbackResolvers", fallbackResolvers)
            writer.omit("Routes", routes)
            writer.omit("Domains", domains)
            writer.omit("Proxied", isProxied)
            writer.omit("CertDomains", certificateDomains)
            writer.omit("ExtraRecords", extraRecords)
            writer.omit("ExitNodeFilteredSet", exitNodeFilteredSuffixes)
        }
    }
}

package struct DNSResolver: Equatable, Sendable {
    /// An address, `address:port`, or a URL.
    package var address: String
    package var bootstrapAddresses: [String]
    package var isUsedWithExitNode: Bool

    package init(address: String) {
        self.address = address
        bootstrapAddresses = []
        isUsedWithExitNode = false
    }
}

extension DNSResolver: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        address = try object.read("Addr", or: "")
        bootstrapAddresses = try object.read("BootstrapResolution", or: [])
        isUsedWithExitNode = try object.read("UseWithExitNode", or: false)
    }
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.omit("Addr", address)
            writer.omit("BootstrapResolution", bootstrapAddresses)
            writer.omit("UseWithExitNode", isUsedWithExitNode)
        }
    }
}

package struct DNSRecord: Equatable, Sendable {
    package var name: String
    /// `A`, `AAAA`, or empty for whichever fits the value.
    package var type: String
    package var value: String

    package init(name: String, type: String = "", value: String) {
        self.name = name
        self.type = type
        self.value = value
    }
}

extension DNSRecord: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        name = try object.read("Name", or: "")
        type = try object.read("Type", or: "")
        value = try object.read("Value", or: "")
    }
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("Name", name)
            writer.omit("Type", type)
            writer.keep("Value", value)
        }
    }
}
