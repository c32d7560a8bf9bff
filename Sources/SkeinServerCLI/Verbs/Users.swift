import ArgumentParser
import ControlMessages

struct Users: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "The people that machines belong to.",
        subcommands: [
            Create.self, List.self, Delete.self, SetRole.self, SetPassword.self,
            ResetSecondFactor.self, Passkeys.self, RemovePasskey.self, Suspend.self, Resume.self,
            Link.self, Unlink.self,
        ])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Adds a user.")
        @OptionGroup var common: CommonOptions
        @Argument(help: "The user's name, such as anna or anna@example.org.")
        var name: String
        @Option(help: "The name to show, if another.")
        var displayName: String?
        @Option(help: "What they may do: owner, admin, operator, member or auditor.")
        var role: String?
        @OptionGroup var password: PasswordOptions

        func run() async throws {
            var body = JSONObject([.init("name", .string(name))])
            body["displayName"] = displayName.map { .string($0) }
            body["role"] = role.map { .string($0) }
            if password.passwordStdin {
                try password.read(into: &body, for: name, common.configuration())
            }
            let user = try await common.administrator().call(
                "POST", "user", body: body, result: "user")
            common.show(user, "Created user \(name).")
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Shows all users.")
        @OptionGroup var common: CommonOptions

        func run() async throws {
            let users = try await common.administrator().call("GET", "user", result: "users")
            var table = Table(
                header: [
                    "ID", "NAME", "DISPLAY NAME", "ROLE", "PASSWORD", "SECOND FACTOR", "SUSPENDED",
                    "CREATED",
                ])
            table.rows = (users.array ?? []).map {
                [
                    $0.text("id"), $0.text("name"), $0.text("displayName"), $0.text("role"),
                    $0.text("password"), $0.text("secondFactor"), $0.text("suspended"),
                    $0.time("createdAt", or: ""),
                ]
            }
            common.show(users, table.text)
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Removes a user who has no machines, and the user's keys.")
        @OptionGroup var common: CommonOptions
        @Argument(help: "The user's name.")
        var name: String

        func run() async throws {
            let user = try await common.administrator().call(
                "DELETE", "user", name, result: "user")
            common.show(user, "Deleted user \(name).")
        }
    }
}

extension CommonOptions {
    func show(_ json: JSON, _ text: String) {
        switch output {
        case .json: Terminal.say(json)
        case .table: Terminal.say(text)
        }
    }
}
