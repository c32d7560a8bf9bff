import ArgumentParser
import ControlMessages

struct Sessions: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "The browsers in which users are signed in.",
        subcommands: [List.self, End.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Shows all sessions.")
        @OptionGroup var common: CommonOptions

        func run() async throws {
            let sessions = try await common.administrator().call(
                "GET", "session", result: "sessions")
            var table = Table(header: ["ID", "USER", "ADDRESS", "BEGAN", "LAST USED", "BROWSER"])
            table.rows = (sessions.array ?? []).map {
                [
                    $0.text("id"), $0.text("user"), $0.text("address"),
                    $0.time("createdAt", or: ""), $0.time("lastUsed", or: ""),
                    $0.text("browser"),
                ]
            }
            common.show(sessions, table.text)
        }
    }

    struct End: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Signs a browser out.")
        @OptionGroup var common: CommonOptions
        @Argument(help: "The ID of the session.") var id: String

        func run() async throws {
            let session = try await common.administrator().call(
                "DELETE", "session", id, result: "session")
            common.show(session, "Session \(id) was ended.")
        }
    }
}
