import ArgumentParser
import ControlMessages
import ControlServer
import Coordination
import NetTypes

struct Clients: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Programs that make pre-auth keys (OAuth client credentials).",
        subcommands: [Create.self, List.self, Revoke.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a client and shows its ID and secret, this once.")
        @OptionGroup var common: CommonOptions
        @Option(name: [.short, .long], help: "Who answers for it.")
        var user: String
        @Option(help: "What it is for.")
        var purpose = ""
        @Option(help: "What its keys may give machines, such as tag:ci,tag:web.")
        var tags: [String] = []
        @Option(help: "What it may do: auth_keys, or auth_keys:read.")
        var scopes: [String] = []
        @Option(help: "How long it is good for, such as 24h, 180d; 0 for ever.")
        var expiration = "365d"

        func run() async throws {
            guard let lifetime = Nanoseconds(durationText: expiration) else {
                throw CommandFailure(
                    "'\(expiration)' is no time: write such as 24h, 180d, or 0 for ever")
            }
            var body = JSONObject([
                .init("user", .string(user)), .init("purpose", .string(purpose)),
                .init("tags", Self.list(tags)), .init("scopes", Self.list(scopes)),
            ])
            if lifetime != .zero {
                body["expiration"] = .string((Administrator.now.wall + lifetime).description)
            }
            let client = try await common.administrator().call(
                "POST", "client", body: body, result: "client")
            common.show(
                client, "ID:     \(client.text("id"))\nSecret: \(client.text("secret"))")
        }

        private static func list(_ words: [String]) -> JSON {
            .array(words.flatMap { $0.split(separator: ",").map { .string(String($0)) } })
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Shows all clients.")
        @OptionGroup var common: CommonOptions

        func run() async throws {
            let clients = try await common.administrator().call("GET", "client", result: "clients")
            var table = Table(
                header: [
                    "ID", "USER", "PURPOSE", "SCOPES", "TAGS", "KEYS", "LAST USED", "EXPIRES",
                    "STATE",
                ])
            table.rows = (clients.array ?? []).map {
                [
                    $0.text("id"), $0.text("user"), $0.text("purpose"), $0.list("scopes"),
                    $0.list("tags"), $0.text("keys"), $0.time("lastUsed", or: "never"),
                    $0.time("expiration", or: "never"), $0.text("state"),
                ]
            }
            common.show(clients, table.text)
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a client useless at once, and the keys that it made.")
        @OptionGroup var common: CommonOptions
        @Argument(help: "The client's ID.") var id: String

        func run() async throws {
            let client = try await common.administrator().call(
                "DELETE", "client", id, result: "client")
            common.show(client, "Client \(client.text("id")) is of no use any more.")
        }
    }
}
