import ArgumentParser
import Foundation
import LocalAPI
import NetTypes
import Testing

@testable import SkeinCLI

@Suite("What the command line understands") struct ParsingTests {
    @Test(
        "The socket may stand before the command, and switches are on by themselves",
        arguments: [
            (
                ["--socket", "/a", "up", "--accept-dns"],
                ["up", "--accept-dns=true", "--socket", "/a"]
            ),
            (["--socket=/a", "ip", "-4"], ["ip", "-4", "--socket=/a"]),
            (["up", "--accept-dns=false"], ["up", "--accept-dns=false"]),
            (["set", "--operator="], ["set", "--operator", ""]),
            (["--socket", "/a"], []), (["--socket"], ["--socket"]), (["--help"], ["--help"]),
        ])
    func normalized(typed: [String], parsed: [String]) {
        #expect(CommandLineForm.normalized(typed) == parsed)
    }

    @Test(
        "Spans of time",
        arguments: [
            ("40s", Duration.seconds(40)), ("1m30s", .seconds(90)), ("500ms", .milliseconds(500)),
            ("1.5h", .seconds(5400)), ("0", .zero), ("0s", .zero),
        ])
    func spans(text: String, duration: Duration) {
        #expect(TimeSpan(argument: text)?.duration == duration)
    }

    @Test(
        "What is no span of time",
        arguments: ["", "40", "s", "4 s", "-1s", "1d", "1e3s", "9999999h"])
    func noSpans(text: String) { #expect(TimeSpan(argument: text) == nil) }

    @Test("A change has what was named, and nothing else")
    func change() throws {
        let options = try PrefsOptions.parse([
            "--hostname", "", "--accept-dns=false", "--advertise-routes",
            "10.0.0.0/8,2001:db8::/32",
            "--advertise-tags", "", "--operator", "ann",
        ])
        var expected = PrefsChange()
        expected.hostname = ""
        expected.acceptsDNS = false
        expected.advertisedRoutes = [IPPrefix("10.0.0.0/8")!, IPPrefix("2001:db8::/32")!]
        expected.advertisedTags = []
        expected.operatorUser = "ann"
        #expect(try options.change() == expected)
        #expect(try PrefsOptions.parse([]).change().isEmpty)
    }

    @Test(
        "Routes with host bits and tags without prefix are refused",
        arguments: [["--advertise-routes", "10.0.0.1/8"], ["--advertise-tags", "server"]])
    func badChange(arguments: [String]) throws {
        let options = try PrefsOptions.parse(arguments)
        #expect(throws: ValidationError.self) { try options.change() }
    }

    @Test("A key may come from a file, without the newline at its end")
    func keyFile() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try Data("secret\n".utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        #expect(try Up.readKey("file:" + file.path) == "secret")
        #expect(try Up.readKey("secret") == "secret")
        #expect(throws: Failure.self) { try Up.readKey("file:/nonexistent") }
    }
}
