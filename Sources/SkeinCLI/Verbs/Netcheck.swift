import ArgumentParser
import LocalAPI

struct Netcheck: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures the network around this machine: UDP, NAT, relays.")

    @OptionGroup var connection: ConnectionOptions

    @Flag(help: "Write JSON.")
    var json = false

    func run() async throws {
        let report = try await connection.client.netcheck()
        if json {
            Terminal.say(report.indentedJSON)
        } else {
            for line in NetcheckText(report: report).lines { Terminal.say(line) }
        }
    }
}
