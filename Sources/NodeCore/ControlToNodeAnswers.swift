package import ControlMessages

/// What a node answers to requests of its server (control protocol §7.4).
///
/// The server may know what it gave us and what we can do, nothing else of this machine: its
/// preferences are its user's, and nothing here changes anything.
package struct ControlToNodeAnswers: Sendable {
    /// Complaints of this node, as its status shows them.
    package var health: [String]
    /// The network map as it stands, as JSON.
    package var map: [UInt8]

    package init(health: [String], map: [UInt8]) {
        self.health = health
        self.map = map
    }

    package func answer(to request: ControlToNodeRequest) -> ControlToNodeResponse {
        let response: ControlToNodeResponse
        let methods: [String]
        switch request.path {
        case "/echo":
            methods = ["GET", "POST"]
            response = ControlToNodeResponse(
                200, body: request.body, contentType: "text/plain; charset=utf-8")
        case "/logtail/flush":
            // There is no log that goes anywhere.
            methods = ["POST"]
            response = ControlToNodeResponse(204)
        case "/debug/health":
            methods = ["GET"]
            response = json { $0.keep("Warnings", health) }
        case "/debug/netmap":
            methods = ["GET", "POST"]
            response = ControlToNodeResponse(
                200, body: Array("{\"current\":".utf8) + map + Array("}".utf8))
        case "/update":
            methods = ["GET", "POST"]
            response = json {
                $0.keep("Err", "this node does not update itself")
                $0.keep("Enabled", false)
                $0.keep("Supported", false)
                $0.keep("Started", false)
            }
        case "/vip-services":
            methods = ["GET"]
            response = json {
                $0.keep("VIPServices", [String]())
                $0.keep("ServicesHash", "")
            }
        case "/ssh/usernames":
            methods = ["GET", "POST"]
            response = json { $0.keep("Usernames", [String]()) }
        case "/posture/identity":
            methods = ["GET"]
            response = json { $0.keep("PostureDisabled", true) }
        default: return text(400, "this node has no \(request.path.prefix(100))")
        }
        guard methods.contains(request.method) else {
            return text(405, "this takes \(methods.joined(separator: " or "))")
        }
        return response
    }

    private func json(_ write: (inout JSONWriter) -> Void) -> ControlToNodeResponse {
        var writer = JSONWriter()
        writer.object(write)
        return ControlToNodeResponse(200, body: writer.bytes)
    }

    private func text(_ status: Int, _ text: String) -> ControlToNodeResponse {
        ControlToNodeResponse(
            status, body: Array("\(text)\n".utf8), contentType: "text/plain; charset=utf-8")
    }
}
