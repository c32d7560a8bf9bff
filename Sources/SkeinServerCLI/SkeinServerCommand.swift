package import ArgumentParser
import ControlServer
import ServerStore

/// `skein-server`: the server, and the commands of its administrator.
package struct SkeinServerCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "skein-server",
        abstract: "Brings machines together in a private network.",
        discussion: """
            Start it once:      skein-server serve --config FILE
            On other machines:  skein-server relay --config FILE
            Let machines in:    skein-server --config FILE users create NAME
                                skein-server --config FILE preauthkeys create --user NAME
            Commands talk to the running server, or work on its database while it is stopped.
            """,
        subcommands: [
            Serve.self, Relay.self, Users.self, Groups.self, Passwords.self, Sessions.self,
            PreAuthKeys.self,
            Clients.self, Nodes.self,
            Audit.self, ConfigCommand.self, DoctorCommand.self, Version.self,
        ])

    package init() {}

    /// Runs the command that `arguments` name and returns the status for the shell: 0 when all went
    /// well, 64 when the command line makes no sense, else 1.
    package static func run(_ arguments: [String]) async -> Int32 {
        do {
            var command = try await asyncParseAsRoot(normalized(arguments))
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            return 0
        } catch let failure as CommandFailure {
            return fail(failure.description)
        } catch let error as ConfigurationError {
            return fail(error.description)
        } catch let error as ServerStoreError {
            return fail(error.description)
        } catch let error as ControlServerError {
            return fail(error.description)
        } catch is ExitCode {
            return 1
        } catch {
            let status = exitCode(for: error).rawValue
            let text = fullMessage(for: error)
            if status == 0 { Terminal.say(text) } else { Terminal.remark(text) }
            return status
        }
    }

    private static func fail(_ text: String) -> Int32 {
        Terminal.remark("skein-server: \(text)")
        return 1
    }

    /// Moves `--config FILE` and `--output FORM` from before the command to behind it, where the
    /// parser looks for them.
    static func normalized(_ arguments: [String]) -> [String] {
        var common: [String] = []
        var rest = arguments[...]
        while let first = rest.first {
            if first == "--config" || first == "--output", rest.count > 1 {
                common += rest.prefix(2)
                rest = rest.dropFirst(2)
            } else if first.hasPrefix("--config=") || first.hasPrefix("--output=") {
                common.append(first)
                rest = rest.dropFirst()
            } else {
                break
            }
        }
        // Without a command there is nothing to configure.
        guard let verb = rest.first, !verb.hasPrefix("-") else { return Array(rest) }
        return Array(rest) + common
    }
}

/// What every command takes.
struct CommonOptions: ParsableArguments {
    @Option(help: "The configuration file (default: \(ServerConfiguration.defaultPath)).")
    var config: String?

    @Option(help: "How results are shown: table or json.")
    var output = OutputForm.table

    func configuration() throws(ConfigurationError) -> ServerConfiguration {
        try ServerConfiguration(file: config)
    }

    func administrator() throws(ConfigurationError) -> Administrator {
        Administrator(configuration: try configuration())
    }
}

enum OutputForm: String, ExpressibleByArgument, CaseIterable {
    case table, json
}

/// Ends a command with a line for the person and a status other than zero.
struct CommandFailure: Error, Equatable, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}
