import ArgumentParser
import ControlMessages
import LocalAPI
import NetTypes

struct WhoIsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "whois", abstract: "Shows the machine and the user behind an address.")

    @OptionGroup var connection: ConnectionOptions

    @Flag(help: "Write JSON.")
    var json = false

    @Argument(help: "An address, with or without a port, or a node key.")
    var address: String

    func run() async throws {
        guard let who = try await connection.client.whoIs(address) else {
            throw Failure("no machine of the network has the address \(address)")
        }
        if json {
            Terminal.say(who.indentedJSON)
            return
        }
        let node = who.node
        let name = node.name.hasSuffix(".") ? String(node.name.dropLast()) : node.name
        Terminal.say("Machine:")
        Terminal.say("  Name:       \(name)")
        Terminal.say("  ID:         \(node.stableID)")
        Terminal.say(
            "  Addresses:  \(node.addresses.map { "\($0.address)" }.joined(separator: ", "))")
        if node.tags.isEmpty {
            Terminal.say("User:")
            Terminal.say("  Name:       \(who.user.loginName)")
            Terminal.say("  ID:         \(who.user.id)")
        } else {
            Terminal.say("Tags:         \(node.tags.joined(separator: ", "))")
        }
    }
}
