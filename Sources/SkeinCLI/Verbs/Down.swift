import ArgumentParser
import LocalAPI

struct Down: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Disconnects this machine; it stays logged in.")

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        var change = PrefsChange()
        change.wantsRunning = false
        _ = try await connection.client.edit(change)
    }
}

struct Logout: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Disconnects this machine and expires its key.")

    @OptionGroup var connection: ConnectionOptions

    func run() async throws { try await connection.client.logout() }
}
