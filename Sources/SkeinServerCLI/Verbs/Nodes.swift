import ArgumentParser
import ControlMessages
import ControlServer
import Coordination
import NetTypes

struct Nodes: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "The machines of the network.",
        subcommands: [
            List.self, Show.self, Approve.self, Expire.self, Rename.self, Relay.self, Delete.self,
        ])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Shows all machines.")
        @OptionGroup var common: CommonOptions
        @Flag(help: "Shows machines that wait for approval instead.")
        var waiting = false

        func run() async throws {
            let administrator = try common.administrator()
            if waiting {
                try await showWaiting(administrator)
                return
            }
            let nodes = try await administrator.call("GET", "node", result: "nodes")
            let list = nodes.array ?? []
            // Only where there are any: the subjects are long.
            let hasCertificates = list.contains { NodeText.certificate(of: $0) != nil }
            var table = Table(
                header: ["ID", "NAME", "OWNER", "ADDRESSES", "STATE", "EXPIRES"]
                    + (hasCertificates ? ["CERTIFICATE"] : []))
            table.rows = list.map { node in
                [
                    node.text("id"), node.text("givenName"), NodeText.owner(of: node),
                    node.list("ipAddresses"), NodeText.state(of: node),
                    node.time("expiry", or: "never"),
                ] + (hasCertificates ? [NodeText.certificate(of: node) ?? "none"] : [])
            }
            common.show(nodes, table.text)
        }

        /// Logins that nobody has completed, then machines to be approved.
        private func showWaiting(_ administrator: Administrator) async throws {
            let logins = try await administrator.call("GET", "auth", result: "waiting")
            let nodes = try await administrator.call("GET", "node", result: "nodes")
            let unapproved = (nodes.array ?? []).filter {
                $0.object?["awaitsApproval"] == .bool(true)
            }
            var table = Table(header: ["ID", "HOST NAME", "OS", "SINCE", "WAITS FOR"])
            table.rows = (logins.array ?? []).map {
                [
                    $0.text("authId"), $0.text("hostname"), $0.text("os"),
                    $0.time("createdAt", or: ""), "login",
                ]
            }
            table.rows += unapproved.map {
                [
                    $0.text("id"), $0.text("givenName"), $0.text("os"),
                    $0.time("createdAt", or: ""), "approval",
                ]
            }
            common.show(.array((logins.array ?? []) + unapproved), table.text)
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows all about a machine.")
        @OptionGroup var common: CommonOptions
        @Argument(help: "Its ID, name or address.")
        var node: String

        func run() async throws {
            let result = try await common.administrator().call(
                "GET", "node", node, result: "node")
            let rows =
                [
                    ("ID", result.text("id")), ("Name", result.text("fullName")),
                    ("Host name", result.text("name")), ("Owner", NodeText.owner(of: result)),
                    ("Addresses", result.list("ipAddresses")),
                    ("State", NodeText.state(of: result)),
                    ("Endpoints", result.list("endpoints")),
                    ("Home relay", result.text("homeRelay")),
                    ("Relays for", result.list("relaysFor")),
                    ("OS", result.text("os")), ("Client", result.text("clientVersion")),
                    ("Ephemeral", result.text("ephemeral")),
                    ("Created", result.time("createdAt", or: "")),
                    ("Key expires", result.time("expiry", or: "never")),
                    ("Node key", result.text("nodeKey")),
                    ("Machine key", result.text("machineKey")),
                ] + NodeText.certificateRows(of: result)
            let width = rows.map { $0.0.count }.max() ?? 0
            let lines = rows.map { name, value in
                name + ":" + String(repeating: " ", count: width - name.count + 2) + value
            }
            common.show(result, lines.joined(separator: "\n"))
        }
    }

    struct Approve: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lets in a machine that waits: for a login, or for approval.")
        @OptionGroup var common: CommonOptions
        @Option(help: "The ID at the end of the address that 'up' shows, or all of that address.")
        var id: String?
        @Argument(
            help:
                "The same, without --id; or the name, ID or address of a machine that is logged in."
        )
        var login: String?
        @Option(
            name: [.short, .long], help: "Whose machine it is, when nobody has logged in on it yet."
        )
        var user: String?

        func validate() throws {
            guard (id == nil) != (login == nil) else {
                throw ValidationError("name one machine, by the ID that 'up' shows")
            }
        }

        func run() async throws {
            let id = id ?? login ?? ""
            guard let user else {
                let node = try await common.administrator().call(
                    "POST", "node", id, "approve", result: "node")
                common.show(node, "\(node.text("givenName")) is approved.")
                return
            }
            let body = JSONObject([.init("authId", .string(id)), .init("user", .string(user))])
            let node = try await common.administrator().call(
                "POST", "auth", "approve", body: body, result: "node")
            common.show(
                node,
                "\(node.text("givenName")) joined as a machine of \(user): "
                    + node.list("ipAddresses") + ".")
        }
    }

    struct Expire: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Ends the validity of a machine's key: it has to log in again.")
        @OptionGroup var common: CommonOptions
        @Argument(help: "Its ID, name or address.")
        var node: String
        @Option(name: .customLong("in"), help: "Not at once but after a time, such as 24h.")
        var delay: String?
        @Flag(help: "Lets the key be valid for ever instead.")
        var disable = false

        func run() async throws {
            var body = JSONObject()
            if disable {
                body["disableExpiry"] = .bool(true)
            } else if let delay {
                guard let time = Nanoseconds(durationText: delay) else {
                    throw CommandFailure("'\(delay)' is no time: write such as 30m, 24h, 180d")
                }
                body["expiry"] = .string((Administrator.now.wall + time).description)
            }
            let result = try await common.administrator().call(
                "POST", "node", node, "expire", body: body, result: "node")
            let text =
                disable
                ? "The key of \(result.text("givenName")) does not expire."
                : "The key of \(result.text("givenName")) expires at "
                    + result.time("expiry", or: "") + "."
            common.show(result, text)
        }
    }

    struct Rename: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Gives a machine another name.")
        @OptionGroup var common: CommonOptions
        @Argument(help: "Its ID, name or address.")
        var node: String
        @Argument(help: "The new name.")
        var name: String

        func run() async throws {
            let result = try await common.administrator().call(
                "POST", "node", node, "rename", name, result: "node")
            common.show(result, "The machine is called \(result.text("fullName")).")
        }
    }

    struct Relay: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lets a machine relay UDP for others that find no direct path.",
            discussion: """
                The machine itself has to be told as well: skein set --relay-server-port PORT. Others \
                must be able to send UDP to that port.
                """)
        @OptionGroup var common: CommonOptions
        @Argument(help: "Its ID, name or address.")
        var node: String
        @Option(
            name: .customLong("for"),
            help: "For whom: users and tags, such as alice,tag:server; * is everybody.")
        var clients = "*"
        @Flag(help: "For nobody any more.")
        var off = false

        func run() async throws {
            let clients = off ? [] : clients.split(separator: ",").map(String.init)
            guard off || !clients.isEmpty else {
                throw CommandFailure("say for whom, or --off for nobody")
            }
            let body = JSONObject([.init("for", .array(clients.map { .string($0) }))])
            let result = try await common.administrator().call(
                "POST", "node", node, "relay", body: body, result: "node")
            let name = result.text("givenName")
            common.show(
                result,
                off
                    ? "\(name) relays for nobody."
                    : "\(name) may relay for \(result.list("relaysFor")).")
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Removes a machine from the network.")
        @OptionGroup var common: CommonOptions
        @Argument(help: "Its ID, name or address.")
        var node: String

        func run() async throws {
            let result = try await common.administrator().call(
                "DELETE", "node", node, result: "node")
            common.show(result, "Deleted \(result.text("givenName")).")
        }
    }
}

enum NodeText {
    static func owner(of node: JSON) -> String {
        let tags = node.list("tags")
        return tags.isEmpty ? node.object?["user"]?.text("name") ?? "" : tags
    }

    /// The subject of its certificate.
    static func certificate(of node: JSON) -> String? {
        node.object?["machineCertificate"]?.object?["subject"]?.string
    }

    static func certificateRows(of node: JSON) -> [(String, String)] {
        guard let certificate = node.object?["machineCertificate"], certificate.object != nil else {
            return []
        }
        return [
            ("Certificate", certificate.text("subject")),
            ("Certificate key", certificate.text("keyHash")),
            ("Certificate until", certificate.time("notAfter", or: "")),
        ]
    }

    static func state(of node: JSON) -> String {
        if node.object?["awaitsApproval"] == .bool(true) { return "waits for approval" }
        if node.object?["expired"] == .bool(true) { return "expired" }
        if node.object?["online"] == .bool(true) { return "online" }
        return "offline since " + node.time("lastSeen", or: "it joined")
    }
}
