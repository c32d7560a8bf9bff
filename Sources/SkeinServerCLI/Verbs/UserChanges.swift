import ArgumentParser
import ControlMessages
import ControlServer
import CryptoPrimitives
import NetTypes
import SignIn

/// Where a password comes from: never the command line, which others can see.
struct PasswordOptions: ParsableArguments {
    @Flag(help: "Read the password, one line, from standard input.")
    var passwordStdin = false
    @Flag(help: "The user has to choose another password at the next sign-in.")
    var temporary = false

    /// Only the hash is sent to the server.
    func read(
        into body: inout JSONObject, for name: String, _ configuration: ServerConfiguration
    ) throws {
        guard let password = readLine(strippingNewline: true), !password.isEmpty else {
            throw CommandFailure("there is no password on standard input")
        }
        let settings = configuration.signIn
        // The key is not needed to judge a password.
        let accounts = Accounts(settings: settings, secrets: AccountSecrets(SecretBytes()))
        if let problem = accounts.problem(withPassword: password, of: name) {
            throw CommandFailure(problem)
        }
        guard let hash = PasswordHash.make(password, cost: settings.passwordCost) else {
            throw CommandFailure("there is not enough memory to hash the password")
        }
        body["passwordHash"] = .string(hash)
        if temporary { body["temporary"] = .bool(true) }
    }
}

extension Users {
    struct SetRole: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Sets what a user may do.",
            discussion: "owner, admin, operator, member or auditor: see docs/accounts.md.")
        @OptionGroup var common: CommonOptions
        @Argument(help: "The user's name.") var name: String
        @Argument(help: "The role.") var role: String

        func run() async throws {
            let body = JSONObject([.init("role", .string(role))])
            let user = try await common.administrator().call(
                "POST", "user", name, "role", body: body, result: "user")
            common.show(user, "\(name) is \(role).")
        }
    }

    struct SetPassword: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Sets a user's password and signs them out everywhere.")
        @OptionGroup var common: CommonOptions
        @Argument(help: "The user's name.") var name: String
        @OptionGroup var password: PasswordOptions

        func run() async throws {
            guard password.passwordStdin else {
                throw CommandFailure("say --password-stdin, and give the password there")
            }
            var body = JSONObject()
            try password.read(into: &body, for: name, common.configuration())
            let user = try await common.administrator().call(
                "POST", "user", name, "password", body: body, result: "user")
            common.show(user, "The password of \(name) was set.")
        }
    }

    struct Passkeys: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Shows a user's passkeys.")
        @OptionGroup var common: CommonOptions
        @Argument(help: "The user's name.") var name: String

        func run() async throws {
            let passkeys = try await common.administrator().call(
                "GET", "user", name, "passkeys", result: "passkeys")
            var table = Table(header: ["ID", "NAME", "ADDED", "LAST USED", "SYNCHRONIZED"])
            table.rows = (passkeys.array ?? []).map {
                [
                    String($0.text("id").prefix(16)), $0.text("name"),
                    $0.time("createdAt", or: ""), $0.time("lastUsed", or: "never"),
                    $0.text("synchronized"),
                ]
            }
            common.show(passkeys, table.text)
        }
    }

    struct RemovePasskey: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Takes away one of a user's passkeys.")
        @OptionGroup var common: CommonOptions
        @Argument(help: "The user's name.") var name: String
        @Argument(help: "The passkey's ID, as 'users passkeys' shows it.") var id: String

        func run() async throws {
            let body = JSONObject([.init("id", .string(id))])
            let user = try await common.administrator().call(
                "POST", "user", name, "remove-passkey", body: body, result: "user")
            common.show(user, "\(name) has this passkey no more.")
        }
    }

    struct ResetSecondFactor: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Takes away a user's authenticator, passkeys and recovery codes.")
        @OptionGroup var common: CommonOptions
        @Argument(help: "The user's name.") var name: String

        func run() async throws {
            let user = try await common.administrator().call(
                "POST", "user", name, "reset-second-factor", result: "user")
            common.show(user, "\(name) has no second factor.")
        }
    }

    struct Suspend: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Locks a user out: machines expire, keys are revoked, sessions end.")
        @OptionGroup var common: CommonOptions
        @Argument(help: "The user's name.") var name: String

        func run() async throws {
            let user = try await common.administrator().call(
                "POST", "user", name, "suspend", result: "user")
            common.show(user, "\(name) is suspended.")
        }
    }

    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lets a suspended user sign in again.")
        @OptionGroup var common: CommonOptions
        @Argument(help: "The user's name.") var name: String

        func run() async throws {
            let user = try await common.administrator().call(
                "POST", "user", name, "resume", result: "user")
            common.show(user, "\(name) may sign in again.")
        }
    }

    struct Link: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lets a user sign in with an identity at a provider.")
        @OptionGroup var common: CommonOptions
        @Argument(help: "The user's name.") var name: String
        @Option(help: "The provider's name in the configuration.") var provider: String
        @Option(help: "The subject that the provider gives this person.") var subject: String

        func run() async throws {
            // An identity is told by who vouches for it, which the configuration knows.
            let providers = try common.configuration().providers
            guard let named = providers.first(where: { $0.settings.name == provider }) else {
                throw CommandFailure("there is no provider \(provider) in the configuration")
            }
            let body = JSONObject([
                .init("provider", .string(named.identityIssuer)),
                .init("subject", .string(subject)),
            ])
            let user = try await common.administrator().call(
                "POST", "user", name, "link", body: body, result: "user")
            common.show(user, "\(name) may sign in with \(provider).")
        }
    }

    struct Unlink: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Takes back a link with an identity at a provider.")
        @OptionGroup var common: CommonOptions
        @Argument(help: "The user's name.") var name: String
        @Option(help: "The provider's name in the configuration.") var provider: String
        @Option(help: "The subject that the provider gives this person.") var subject: String

        func run() async throws {
            // A provider that the configuration has no more is named as `users list` shows it.
            let named = try common.configuration().providers
                .first { $0.settings.name == provider }
            let body = JSONObject([
                .init("provider", .string(named?.identityIssuer ?? provider)),
                .init("subject", .string(subject)),
            ])
            let user = try await common.administrator().call(
                "POST", "user", name, "unlink", body: body, result: "user")
            common.show(user, "\(name) may not sign in with this identity any more.")
        }
    }
}
