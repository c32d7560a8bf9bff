import ControlMessages
import ControlServer
import Foundation
import Synchronization
import Testing
import WebForms

@testable import SkeinServerCLI

/// Commands on the database of a server that does not run.
@Suite struct CommandTests {
    private final class Place: Sendable {
        let path = FileManager.default.temporaryDirectory
            .appendingPathComponent("cli-\(UUID().uuidString)").path
        var configuration: String { path + "/config.toml" }

        init(_ text: String? = nil) throws {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true)
            let standard = "state_dir = \"\(path)/state\"\n"
            try Data((text ?? standard).utf8).write(to: URL(fileURLWithPath: configuration))
        }
        deinit {
            // Nothing depends on its removal.
            try? FileManager.default.removeItem(atPath: path)
        }

        func run(_ arguments: String...) async -> (status: Int32, output: String, errors: String) {
            let output = Mutex("")
            let errors = Mutex("")
            let terminal = Terminal(
                write: { text in output.withLock { $0 += text } },
                writeError: { text in errors.withLock { $0 += text } })
            let status = await Terminal.$current.withValue(terminal) {
                await SkeinServerCommand.run(["--config", configuration] + arguments)
            }
            return (status, output.withLock { $0 }, errors.withLock { $0 })
        }
    }

    private func json(_ text: String) throws -> JSON { try JSON(parsing: Array(text.utf8)) }

    @Test func usersAndKeysAreMadeOnADatabaseAtRest() async throws {
        let place = try Place()
        #expect(await place.run("users", "create", "anna").status == 0)
        let list = await place.run("users", "list", "--output", "json")
        #expect(try json(list.output).array?.first?.object?["name"] == .string("anna"))
        let created = await place.run(
            "preauthkeys", "create", "--user", "anna", "--reusable", "--tags", "tag:a,tag:b",
            "--output=json")
        let key = try #require(json(created.output).object)
        #expect(key["aclTags"] == .array([.string("tag:a"), .string("tag:b")]))
        #expect(key["expiration"] != .null)
        let text = try #require(key["key"]?.string)
        let table = await place.run("preauthkeys", "list")
        #expect(table.output.contains("usable") && !table.output.contains(text))
        #expect(await place.run("preauthkeys", "expire", text).status == 0)
        #expect(await place.run("preauthkeys", "list").output.contains("revoked"))
        #expect(await place.run("nodes", "list").output.hasPrefix("ID  NAME"))
        #expect(await place.run("users", "delete", "anna").status == 0)
    }

    @Test func withoutOptionsAKeyIsForOneMachineAndADay() async throws {
        let place = try Place()
        _ = await place.run("users", "create", "anna")
        let plain = await place.run("preauthkeys", "create", "--user", "anna")
        #expect(
            plain.output.hasPrefix("skein-auth-") && plain.output.split(separator: "\n").count == 1)
        let forever = await place.run(
            "preauthkeys", "create", "-u", "anna", "--expiration", "0", "--output", "json")
        let key = try json(forever.output).object
        #expect(key?["expiration"] == .null && key?["reusable"] == .bool(false))
    }

    @Test(arguments: [
        (["users", "delete", "nobody"], "no user 'nobody'"),
        (["nodes", "show", "x"], "no node 'x'"),
        (["nodes", "approve", "--user", "a", "ID"], "no server is running"),
        (["preauthkeys", "create", "--user", "a", "--expiration", "soon"], "no time"),
        (["preauthkeys", "create", "--user", "nobody"], "users list"),
    ])
    func failuresAreOneLineOnStandardError(arguments: [String], text: String) async throws {
        let place = try Place()
        let terminal = Mutex("")
        let status = await Terminal.$current.withValue(
            Terminal(
                write: { _ in Issue.record("nothing goes to the output") },
                writeError: { line in terminal.withLock { $0 += line } })
        ) {
            await SkeinServerCommand.run(["--config", place.configuration] + arguments)
        }
        let errors = terminal.withLock { $0 }
        #expect(status == 1)
        #expect(errors.contains(text), "\(errors)")
        #expect(errors.split(separator: "\n").count == 1)
    }

    @Test func wrongCommandLinesHaveTheirOwnStatus() async throws {
        let place = try Place()
        #expect(await place.run("users", "creat").status == 64)
        #expect(await place.run("nodes", "approve", "--user", "a").status == 64)
        #expect(await place.run("users", "list", "--output", "xml").status == 64)
    }

    @Test func theConfigurationIsCheckedBeforeAnythingElse() async throws {
        let place = try Place("state_dir = \"/nowhere\"\nlistn = 1\n")
        for arguments in [["config", "check"], ["users", "list"], ["serve"]] {
            let terminal = Mutex("")
            let status = await Terminal.$current.withValue(
                Terminal(write: { _ in }, writeError: { line in terminal.withLock { $0 += line } })
            ) {
                await SkeinServerCommand.run(["--config", place.configuration] + arguments)
            }
            #expect(status == 1)
            #expect(terminal.withLock { $0 }.contains("config.toml:2: unknown key listn"))
        }
    }

    @Test func theCheckNamesTheRelaysAndTheKeyOfThisOne() async throws {
        let place = try Place()
        let check = await place.run("config", "check")
        #expect(check.status == 0, "\(check.output)")
        #expect(check.output.contains("relay.public_key = "))
        let shown = try json(await place.run("config", "check", "--output", "json").output).object
        #expect(shown?["relay.public_key"] != nil)
    }

    @Test func optionsMayStandBeforeTheCommand() {
        let normalized = SkeinServerCommand.normalized(
            ["--config", "f", "--output=json", "users", "list"])
        #expect(normalized == ["users", "list", "--config", "f", "--output=json"])
        #expect(SkeinServerCommand.normalized(["--help"]) == ["--help"])
        #expect(SkeinServerCommand.normalized([]) == [])
    }

    @Test func pathsArePercentEncoded() {
        #expect(percentEncoded("a b/ü%") == "a%20b%2F%C3%BC%25")
    }
}
