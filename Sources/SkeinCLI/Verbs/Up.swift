import ArgumentParser
import ControlMessages
import LocalAPI
import NetTypes

struct Up: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Connects this machine, logging in where that is needed.",
        discussion: "A setting that is not named stays as it is.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var prefs: PrefsOptions

    @Option(help: "The coordination server, such as https://mesh.example.org")
    var loginServer: String?

    @Option(
        name: [.long, .customLong("authkey")],
        help: "Log in with this key, without a browser; file:PATH reads it from a file.")
    var authKey: String?

    @Flag(
        help: "Log in again although the key is in order, for a new one; all goes on meanwhile.")
    var forceReauth = false

    @Option(help: "How long to wait until connected, such as 40s; 0 is for ever.")
    var timeout = TimeSpan(.zero)

    @Flag(help: "Write what happens as lines of JSON.")
    var json = false

    func run() async throws {
        let client = connection.client
        let key = try authKey.map(Self.readKey)
        var change = try prefs.change()
        change.controlURL = loginServer
        change.wantsRunning = true
        // The old server's names and addresses mean nothing to the new one: the daemon logs in anew.
        let settings = try await client.edit(change)
        guard !settings.controlURL.isEmpty else {
            throw Failure("which server? skein up --login-server https://…")
        }
        let progress = LoginProgress(
            client: client, key: key, json: json, renews: forceReauth)
        guard let outcome = try await within(timeout.duration, { try await progress.follow() })
        else { throw Failure(try await progress.reasonForDelay(after: timeout)) }
        if let message = outcome.failure {
            if json { report(["State": .string("Error"), "Error": .string(message)]) }
            throw Failure(message)
        }
        if json {
            report([
                "BackendState": .string(outcome.state.name),
                "State": .string(outcome.state.name),
            ])
        } else if outcome.state == .needsMachineAuth {
            Terminal.remark(
                "Logged in. This machine waits for an administrator's approval; it goes on by itself then."
            )
        } else if Terminal.current.isInteractive {
            let addresses = try await client.status(peers: false).addresses
            Terminal.remark(
                "Connected as \(addresses.map(\.description).joined(separator: ", ")).")
        }
    }

    /// The key itself, or what is in the file that it names.
    static func readKey(_ argument: String) throws -> String {
        guard argument.hasPrefix("file:") else { return argument }
        let path = String(argument.dropFirst(5))
        guard let text = TextFile.read(path, limit: 4096) else {
            throw Failure("cannot read the key from \(path)")
        }
        let key = text.split(whereSeparator: \.isWhitespace).first.map(String.init) ?? ""
        guard !key.isEmpty else { throw Failure("there is no key in \(path)") }
        return key
    }
}

/// Writes one line of JSON.
func report(_ members: KeyValuePairs<String, JSON>) {
    let object = JSONObject(members.map { JSONObject.Member($0.key, $0.value) })
    Terminal.say(String(decoding: object.jsonBytes, as: UTF8.self))
}
