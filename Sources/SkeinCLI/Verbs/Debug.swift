import ArgumentParser
import ControlMessages
import LocalAPI

struct Debug: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Looks into the daemon; what is shown may change with every version.",
        subcommands: [Action.self, Prefs.self, DERPMap.self, Watch.self],
        defaultSubcommand: Action.self)

    struct Action: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Runs an action of the daemon; 'skein debug help' lists them.")

        @OptionGroup var connection: ConnectionOptions
        @Argument var action = "help"

        func run() async throws {
            Terminal.say(try await connection.client.debug(action: action).indented)
        }
    }

    struct Prefs: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Shows the settings.")

        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            Terminal.say(try await connection.client.prefs().indentedJSON)
        }
    }

    struct DERPMap: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "derp-map", abstract: "Shows the relays that the server named.")

        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            guard let map = try await connection.client.derpMap() else {
                throw Failure("the server has named no relays yet")
            }
            Terminal.say(map.indentedJSON)
        }
    }

    struct Watch: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "watch", abstract: "Shows what the daemon tells, line by line, for ever.")

        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            let mask: NotifyMask = [.initialState, .initialPrefs, .initialHealth]
            let _: Int = try await connection.client.watch(mask) {
                notify throws(LocalClientError) in
                Terminal.say(String(decoding: notify.jsonBytes, as: UTF8.self))
                return nil
            }
        }
    }
}
