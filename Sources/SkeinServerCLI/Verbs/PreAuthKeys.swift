import ArgumentParser
import ControlMessages
import ControlServer
import Coordination
import NetTypes

struct PreAuthKeys: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "preauthkeys",
        abstract: "Keys that let machines join without further questions.",
        subcommands: [Create.self, List.self, Expire.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a key and shows it, this once.")
        @OptionGroup var common: CommonOptions
        @Option(name: [.short, .long], help: "Whose machines it lets in.")
        var user: String
        @Flag(help: "Lets in any number of machines, not just one.")
        var reusable = false
        @Flag(help: "Its machines are removed when they stay away.")
        var ephemeral = false
        @Flag(help: "Its machines need no approval, where that is asked for.")
        var preApproved = false
        @Option(help: "How long it can be used, such as 90s, 30m, 24h, 180d; 0 for ever.")
        var expiration = "24h"
        @Option(help: "Tags of its machines, such as tag:web,tag:db.")
        var tags: [String] = []

        func run() async throws {
            guard let lifetime = Nanoseconds(durationText: expiration) else {
                throw CommandFailure(
                    "'\(expiration)' is no time: write such as 90s, 30m, 24h, 180d, or 0 for ever")
            }
            var body = JSONObject([
                .init("user", .string(user)), .init("reusable", .bool(reusable)),
                .init("ephemeral", .bool(ephemeral)), .init("preApproved", .bool(preApproved)),
            ])
            let list = tags.flatMap { $0.split(separator: ",").map { JSON.string(String($0)) } }
            body["aclTags"] = .array(list)
            if lifetime != .zero {
                body["expiration"] = .string((Administrator.now.wall + lifetime).description)
            }
            let key = try await common.administrator().call(
                "POST", "preauthkey", body: body, result: "preAuthKey")
            common.show(key, key.text("key"))
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows all keys, as far as they are kept.")
        @OptionGroup var common: CommonOptions

        func run() async throws {
            let keys = try await common.administrator().call(
                "GET", "preauthkey", result: "preAuthKeys")
            var table = Table(
                header: ["ID", "KEY", "USER", "REUSABLE", "EPHEMERAL", "TAGS", "EXPIRES", "STATE"])
            table.rows = (keys.array ?? []).map { key in
                [
                    key.text("id"), key.text("prefix") + "-…", key.text("user"),
                    key.text("reusable"), key.text("ephemeral"), key.list("aclTags"),
                    key.time("expiration", or: "never"), state(of: key),
                ]
            }
            common.show(keys, table.text)
        }

        private func state(of key: JSON) -> String {
            if key.object?["revoked"] == .bool(true) { return "revoked" }
            if key.object?["usable"] == .bool(true) { return "usable" }
            return key.object?["used"] == .bool(true) ? "used" : "expired"
        }
    }

    struct Expire: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a key useless. Machines that joined with it stay.")
        @OptionGroup var common: CommonOptions
        @Argument(help: "The key's ID, the start that 'list' shows, or the whole key.")
        var key: String

        func run() async throws {
            let text = key.hasSuffix("-…") ? String(key.dropLast(2)) : key
            let result = try await common.administrator().call(
                "POST", "preauthkey", "expire",
                body: JSONObject([.init("key", .string(text))]), result: "preAuthKey")
            common.show(result, "Expired key \(result.text("id")).")
        }
    }
}
