import Foundation
import Glibc
import LinuxIO
import Logging
import NetTypes
import STUN
import STUNServer
import Testing
import UDPSocket

/// Debian's coturn beside us: another implementation of RFC 8489 and RFC 5780. Where it is not
/// installed (`scripts/install-packages lab`) these tests are skipped, which they say.
@Suite("STUN with coturn", .serialized)
struct CoturnTests {
    private static let folders = ["/usr/bin/", "/usr/local/bin/"]

    private static func path(of program: String) -> String? {
        folders.map { $0 + program }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// A port that the kernel thinks free.
    private static func freePort() throws -> UInt16 {
        try UDPSocket(local: Endpoint("127.0.0.1:0")!).port
    }

    @Test(
        "our client reads coturn's answers, its changes of address and port, and its errors",
        .enabled(if: path(of: "turnserver") != nil, "coturn is not installed"))
    func coturnServer() throws {
        let port = try Self.freePort()
        let other = try Self.freePort()
        let folder = NSTemporaryDirectory() + "skein-coturn-\(port)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let process = Process()
        process.executableURL = Self.path(of: "turnserver").map { URL(fileURLWithPath: $0) }
        process.arguments = [
            "-n", "-S", "-L", "127.0.0.1", "-L", "127.0.0.2", "-p", "\(port)",
            "--alt-listening-port", "\(other)", "--no-cli", "--no-tls", "--no-dtls",
            "--pidfile", folder + "/pid", "--userdb", folder + "/db", "--log-file", "stdout",
        ]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        defer {
            // It takes its time over a SIGTERM.
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
        var client = try Client(Endpoint("127.0.0.1:0")!)
        let target = Endpoint(IPAddress("127.0.0.1")!, port: port)
        let second = IPAddress("127.0.0.2")!
        // It takes a moment to listen.
        var first: [UInt8]?
        for _ in 0..<20 where first == nil { first = try client.ask(target, nil) }
        let answer = try #require(first)
        let plain = try STUNResponse(answer.span.bytes)
        #expect(plain.mappedEndpoint == Endpoint(target.address, port: client.socket.port))
        #expect(plain.origin == target)
        #expect(plain.other == Endpoint(second, port: other))
        let expected: [(STUNChange, Endpoint)] = [
            ([], target), (.port, Endpoint(target.address, port: other)),
            (.address, Endpoint(second, port: port)),
            ([.address, .port], Endpoint(second, port: other)),
        ]
        for (change, origin) in expected {
            let answer = try #require(try client.ask(target, change))
            #expect(try STUNResponse(answer.span.bytes).origin == origin)
            #expect(client.batch.endpoint(at: 0) == origin)
        }
        let odd = message(type: 0x0001, [(0x7123, [])])
        try client.socket.send(odd.span.bytes, to: target)
        let refusal = try #require(try client.receive(1).first)
        #expect(try STUNErrorResponse(refusal.span.bytes).code == 420)
    }

    @Test(
        "coturn's behaviour discovery finds all it asks for at our server",
        .enabled(if: path(of: "turnutils_natdiscovery") != nil, "coturn is not installed"))
    func coturnClient() throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let server = try STUNServer(
            listeningOn: Endpoint("127.0.0.1:0")!, alternate: IPAddress("127.0.0.2"),
            logger: logger)
        let port = try #require(server.endpoints.first).port
        let process = Process()
        process.executableURL =
            Self.path(of: "turnutils_natdiscovery").map { URL(fileURLWithPath: $0) }
        process.arguments = ["-m", "-f", "-p", "\(port)", "-L", "127.0.0.1", "127.0.0.1"]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(
            decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(text.contains("NAT with Endpoint Independent Mapping!"), "\(text)")
        #expect(text.contains("NAT with Endpoint Independent Filtering!"), "\(text)")
        #expect(text.contains("No ALG: Mapped == XOR-Mapped"), "\(text)")
        #expect(server.statistics.rejected == 0)
    }

    private func message(type: UInt16, _ attributes: [(UInt16, [UInt8])]) -> [UInt8] {
        var body: [UInt8] = []
        for (type, value) in attributes {
            body.appendBigEndian(type)
            body.appendBigEndian(UInt16(value.count))
            body += value
        }
        var message: [UInt8] = []
        message.appendBigEndian(type)
        message.appendBigEndian(UInt16(body.count))
        return message + [0x21, 0x12, 0xA4, 0x42] + (1...12) + body
    }
}
