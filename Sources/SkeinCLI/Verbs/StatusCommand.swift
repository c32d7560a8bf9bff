import ArgumentParser
import ControlMessages
import LocalAPI

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Shows this machine, the others, and what is wrong.",
        discussion: "The status for the shell is 0 when the tunnel is up, else 1.")

    @OptionGroup var connection: ConnectionOptions

    @Flag(help: "Write JSON with the member names of Tailscale's.")
    var json = false

    @Option(help: "Whether to show other machines.")
    var peers = true

    @Flag(help: "Show only machines that packets went to lately.")
    var active = false

    func run() async throws {
        let status = try await connection.client.status(peers: peers)
        if json {
            Terminal.say(status.indentedJSON)
            return
        }
        for line in StatusText(status: status, onlyActive: active).lines { Terminal.say(line) }
        if status.backendState != .running, status.backendState != .starting { throw ExitCode(1) }
    }
}
