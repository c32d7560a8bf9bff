package import ArgumentParser
import LocalAPI
import NodeDaemon

/// `skein`: the daemon, and the commands that talk to it.
package struct SkeinCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "skein",
        abstract: "Joins this machine to a private network of yours.",
        discussion: """
            Start the daemon once (sudo skein daemon), then: sudo skein up --login-server URL
            Every command but version talks to the daemon; name its socket with --socket PATH.
            """,
        subcommands: [
            Up.self, Down.self, Logout.self, SetCommand.self, StatusCommand.self, IP.self,
            Ping.self, Netcheck.self, WhoIsCommand.self, Version.self, Debug.self, Daemon.self,
        ])

    package init() {}

    /// What must happen before the process runs its first task.
    package static func prepareProcess() { EventLoopExecutor.install() }

    /// Runs the command that `arguments` name and returns the status for the shell: 0 when all went
    /// well, 64 when the command line makes no sense, else 1.
    package static func run(_ arguments: [String]) async -> Int32 {
        do {
            var command = try await asyncParseAsRoot(CommandLineForm.normalized(arguments))
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            return 0
        } catch let failure as Failure {
            Terminal.remark("skein: \(failure)")
            return 1
        } catch let error as LocalClientError {
            Terminal.remark("skein: \(error)")
            return 1
        } catch is ExitCode {
            return 1
        } catch {
            let status = exitCode(for: error).rawValue
            let text = fullMessage(for: error)
            if status == 0 { Terminal.say(text) } else { Terminal.remark(text) }
            return status
        }
    }
}

/// What every command that talks to the daemon takes.
struct ConnectionOptions: ParsableArguments {
    @Option(help: "The daemon's socket.")
    var socket = "/run/skein/skein.sock"

    var client: LocalClient { LocalClient(socketPath: socket) }
}
