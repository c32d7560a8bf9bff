/// The server asks a node to show that it is alive, to ping a peer or to answer a request
/// (control protocol §5.9).
package struct PingRequest: Equatable, Sendable {
    /// Where the answer goes.
    package var url: String
    package var isURLOverNoise: Bool
    package var wantsLog: Bool
    /// Empty, `c2n`, or a list of `disco`, `TSMP`, `ICMP`, `peerapi` separated by commas.
    package var types: String
    package var address: String
    package var payload: Base64Bytes?

    package init(url: String, types: String = "") {
        self.url = url
        isURLOverNoise = false
        wantsLog = false
        self.types = types
        address = ""
        payload = nil
    }
}

extension PingRequest: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        url = try object.read("URL", or: "")
        isURLOverNoise = try object.read("URLIsNoise", or: false)
        wantsLog = try object.read("Log", or: false)
        types = try object.read("Types", or: "")
        address = try object.read("IP", or: "")
        payload = try object.optional("Payload")
    }
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("URL", url)
            writer.omit("URLIsNoise", isURLOverNoise)
            writer.omit("Log", wantsLog)
            writer.omit("Types", types)
            writer.omit("IP", address)
            writer.omit("Payload", payload)
        }
    }
}
