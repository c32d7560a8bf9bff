package import NetTypes

/// What a node tells about its machine (control protocol §6.3).
///
/// Kept as the object that was received: members unknown to us reach the peers unchanged.
package struct Hostinfo: Equatable, Sendable {
    package var members: JSONObject

    package init(_ members: JSONObject = JSONObject()) { self.members = members }

    /// The name the machine has for itself, as it is: not fit for DNS without cleaning.
    package var hostname: String {
        get { string("Hostname") }
        set { set("Hostname", newValue) }
    }
    /// `linux`, `macOS`, `windows`, `iOS`, `android`, …
    package var operatingSystem: String {
        get { string("OS") }
        set { set("OS", newValue) }
    }
    package var operatingSystemVersion: String {
        get { string("OSVersion") }
        set { set("OSVersion", newValue) }
    }
    /// The version of the client program.
    package var clientVersion: String {
        get { string("IPNVersion") }
        set { set("IPNVersion", newValue) }
    }
    /// Servers want it non-empty: 64 hexadecimal digits.
    package var backendLogID: String {
        get { string("BackendLogID") }
        set { set("BackendLogID", newValue) }
    }
    /// Routes the node offers, both /0 prefixes when it offers to be an exit node.
    package var routableIPs: [IPPrefix] {
        get { list("RoutableIPs") }
        set { set("RoutableIPs", newValue) }
    }
    /// Tags (`tag:x`) the node asks for.
    package var requestTags: [String] {
        get { list("RequestTags") }
        set { set("RequestTags", newValue) }
    }
    package var services: [Service] {
        get { list("Services") }
        set { set("Services", newValue) }
    }
    package var netInfo: NetInfo? {
        // What a peer wrote in a form we do not know counts as not written.
        get { members["NetInfo"].flatMap { try? NetInfo(json: $0) } }
        set { members["NetInfo"] = newValue.map { .object($0.members) } }
    }

    /// A text member; empty when absent or no text.
    package func string(_ name: String) -> String { members[name]?.string ?? "" }

    private mutating func set(_ name: String, _ text: String) {
        members[name] = text.isEmpty ? nil : .string(text)
    }

    /// The readable elements of a list: one bad entry of a peer does not cost the others.
    private func list<Element: JSONReadable>(_ name: String) -> [Element] {
        // An element that cannot be read is of a form this version does not know.
        (members[name]?.array ?? []).compactMap { try? Element(json: $0) }
    }

    private mutating func set(_ name: String, _ elements: [some JSONWritable]) {
        // What the writer produced is valid JSON.
        members[name] = elements.isEmpty ? nil : try? JSON(parsing: elements.jsonBytes)
    }
}

extension Hostinfo: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        self.init(try JSONObject(json: json))
    }
    package func write(to writer: inout JSONWriter) { members.write(to: &writer) }
}

/// A port a node serves, for its peers to know.
package struct Service: Equatable, Sendable {
    /// `tcp`, `udp`, `peerapi4`, `peerapi6`, `peerapi-dns-proxy`.
    package var proto: String
    package var port: UInt16
    package var description: String

    package init(proto: String, port: UInt16, description: String = "") {
        self.proto = proto
        self.port = port
        self.description = description
    }
}

extension Service: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        proto = try object.read("Proto", or: "")
        port = try object.read("Port", or: 0)
        description = try object.read("Description", or: "")
    }
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("Proto", proto)
            writer.keep("Port", port)
            writer.omit("Description", description)
        }
    }
}

/// What a node found out about its network (control protocol §6.4), as received.
package struct NetInfo: Equatable, Sendable {
    package var members: JSONObject

    package init(_ members: JSONObject = JSONObject()) { self.members = members }

    /// The region of the node's home relay; 0 when it has none.
    package var preferredDERP: Int {
        get { number("PreferredDERP") ?? 0 }
        set { members["PreferredDERP"] = newValue == 0 ? nil : .integer(newValue) }
    }
    package var mappingVariesByDestination: Bool? {
        get { flag("MappingVariesByDestIP") }
        set { setFlag("MappingVariesByDestIP", newValue) }
    }
    package var isIPv6Working: Bool? {
        get { flag("WorkingIPv6") }
        set { setFlag("WorkingIPv6", newValue) }
    }
    package var hasSystemIPv6: Bool? {
        get { flag("OSHasIPv6") }
        set { setFlag("OSHasIPv6", newValue) }
    }
    /// Whether a gateway maps a port for this node, and which protocols gateways answered to.
    package var hasPortMapping: Bool? {
        get { flag("HavePortMap") }
        set { setFlag("HavePortMap", newValue) }
    }
    package var speaksUPnP: Bool? {
        get { flag("UPnP") }
        set { setFlag("UPnP", newValue) }
    }
    package var speaksNATPMP: Bool? {
        get { flag("PMP") }
        set { setFlag("PMP", newValue) }
    }
    package var speaksPCP: Bool? {
        get { flag("PCP") }
        set { setFlag("PCP", newValue) }
    }
    package var isUDPWorking: Bool? {
        get { flag("WorkingUDP") }
        set { setFlag("WorkingUDP", newValue) }
    }
    /// Seconds to each region and family: keys such as `999-v4`.
    package var regionLatency: [String: Double] {
        // What a peer wrote in a form we do not know counts as not written.
        get {
            members["DERPLatency"].flatMap { try? [String: Double](json: $0) } ?? [:]
        }
        set {
            // What we write is JSON.
            members["DERPLatency"] =
                newValue.isEmpty ? nil : try? JSON(parsing: newValue.jsonBytes)
        }
    }

    // As above: another form counts as not written.
    private func number(_ name: String) -> Int? { members[name].flatMap { try? Int(json: $0) } }
    private func flag(_ name: String) -> Bool? { members[name].flatMap { try? Bool(json: $0) } }
    private mutating func setFlag(_ name: String, _ value: Bool?) {
        members[name] = value.map { .bool($0) }
    }
}

extension NetInfo: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        self.init(try JSONObject(json: json))
    }
    package func write(to writer: inout JSONWriter) { members.write(to: &writer) }
}
