import ArgumentParser
import LocalAPI

struct SetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Changes the settings that are named, and no others.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var prefs: PrefsOptions

    func run() async throws {
        let change = try prefs.change()
        guard !change.isEmpty else {
            throw ValidationError("name a setting to change, for example --hostname NAME")
        }
        _ = try await connection.client.edit(change)
    }
}
