import ArgumentParser
import ControlMessages
import ControlServer
import Coordination
import NetTypes

struct Audit: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Who did what from where, with what result.",
        subcommands: [List.self, Prune.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows the newest entries of the audit log, newest first.")
        @OptionGroup var common: CommonOptions
        @Option(help: "How many, at most 10000.")
        var limit = 100
        @Option(help: "Only entries before the one with this ID.")
        var before: Int?

        func run() async throws {
            var body = JSONObject([.init("limit", .integer(limit))])
            body["before"] = before.map { .integer($0) }
            let entries = try await common.administrator().call(
                "GET", "audit", body: body, result: "entries")
            var table = Table(
                header: ["ID", "TIME", "BY", "FROM", "ACTION", "OBJECT", "RESULT", "DETAIL"])
            table.rows = (entries.array ?? []).map {
                let name = $0.text("name")
                return [
                    $0.text("id"), $0.time("time", or: ""),
                    name.isEmpty ? $0.text("by") : "\($0.text("by")) \(name)", $0.text("from"),
                    $0.text("action"), $0.text("object"), $0.text("result"), $0.text("detail"),
                ]
            }
            common.show(entries, table.text)
        }
    }

    struct Prune: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Removes the oldest entries, and makes an entry of that.")
        @OptionGroup var common: CommonOptions
        @Option(help: "What is older goes, such as 365d; entries of the last seven days stay.")
        var olderThan: String

        func run() async throws {
            guard let age = Nanoseconds(durationText: olderThan), age > .zero else {
                throw CommandFailure("'\(olderThan)' is no time: write such as 365d")
            }
            let before = (Administrator.now.wall + (.zero - age)).description
            let body = JSONObject([.init("before", .string(before))])
            let result = try await common.administrator().call(
                "POST", "audit", "prune", body: body, result: "before")
            common.show(result, "Entries before \(before) are gone.")
        }
    }
}
