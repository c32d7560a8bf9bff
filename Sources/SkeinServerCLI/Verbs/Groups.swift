import ArgumentParser
import ControlMessages

struct Groups: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Users under one name; a policy says group:NAME.",
        subcommands: [Create.self, Add.self, Remove.self, List.self, Delete.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Makes a group of nobody.")
        @OptionGroup var common: CommonOptions
        @Argument(help: "Its name.") var name: String

        func run() async throws {
            let body = JSONObject([.init("name", .string(name))])
            let group = try await common.administrator().call(
                "POST", "group", body: body, result: "group")
            common.show(group, "Created group \(name).")
        }
    }

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Puts a user into a group.")
        @OptionGroup var common: CommonOptions
        @Argument(help: "The group's name.") var name: String
        @Argument(help: "The user's name.") var user: String

        func run() async throws {
            let group = try await common.administrator().call(
                "POST", "group", name, "member", user, result: "group")
            common.show(group, "\(user) is in group \(name).")
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Takes a user out of a group.")
        @OptionGroup var common: CommonOptions
        @Argument(help: "The group's name.") var name: String
        @Argument(help: "The user's name.") var user: String

        func run() async throws {
            let group = try await common.administrator().call(
                "DELETE", "group", name, "member", user, result: "group")
            common.show(group, "\(user) is not in group \(name) any more.")
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows the groups that were made here.")
        @OptionGroup var common: CommonOptions

        func run() async throws {
            let groups = try await common.administrator().call("GET", "group", result: "groups")
            var table = Table(header: ["NAME", "MEMBERS", "CREATED"])
            table.rows = (groups.array ?? []).map {
                [$0.text("name"), $0.list("members"), $0.time("createdAt", or: "")]
            }
            common.show(groups, table.text)
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Removes a group; its users stay.")
        @OptionGroup var common: CommonOptions
        @Argument(help: "Its name.") var name: String

        func run() async throws {
            let group = try await common.administrator().call(
                "DELETE", "group", name, result: "group")
            common.show(group, "Deleted group \(name).")
        }
    }
}
