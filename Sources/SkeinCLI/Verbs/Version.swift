import ArgumentParser
import ControlMessages
import LocalAPI
import NetTypes

struct Version: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Shows the version of this program.")

    @OptionGroup var connection: ConnectionOptions

    @Flag(help: "Ask the daemon for its version too.")
    var daemon = false

    @Flag(help: "Write JSON.")
    var json = false

    func run() async throws {
        let running = daemon ? try await connection.client.status(peers: false).version : nil
        if json {
            var object = JSONObject()
            object["version"] = .string(SkeinVersion.text)
            object["cap"] = .integer(CapabilityVersion.own)
            if let running { object["daemon"] = .string(running) }
            Terminal.say(object.indentedJSON)
        } else if let running {
            Terminal.say("Client: \(SkeinVersion.text)")
            Terminal.say("Daemon: \(running)")
        } else {
            Terminal.say(SkeinVersion.text)
            Terminal.say("  capability version: \(CapabilityVersion.own)")
        }
    }
}
