import ArgumentParser
import Logging
import NodeDaemon

struct Daemon: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs the node, until it is told to stop (SIGTERM).",
        discussion: "Needs root, or the capability CAP_NET_ADMIN and a state folder of its own.")

    @OptionGroup var connection: ConnectionOptions

    @Option(help: "Where the keys and settings are kept.")
    var stateDir = "/var/lib/skein"

    @Option(help: "The UDP port for other machines. (default: 41641, or any when it is taken)")
    var port: UInt16?

    @Option(help: "The name of the network interface; none for no interface.")
    var tun = "skein0"

    @Option(help: "A PEM file with certificates to trust besides the system's.")
    var trustFile: String?

    @Option(
        help: "How much to log: trace, debug, info, notice, warning, error.",
        transform: { text in
            guard let level = Logger.Level(rawValue: text) else {
                throw ValidationError("no such level: \(text)")
            }
            return level
        })
    var logLevel = Logger.Level.info

    func validate() throws {
        let isName = !tun.isEmpty && tun.utf8.count <= 15 && !tun.contains { " /:".contains($0) }
        guard isName else {
            throw ValidationError("--tun: an interface's name has 1 to 15 bytes, without / and :")
        }
    }

    func run() async throws {
        var logger = Logger(label: "skein") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = logLevel
        do {
            try await NodeDaemon.run(
                NodeDaemon.Configuration(
                    stateFolder: stateDir, socketPath: connection.socket, port: port,
                    interfaceName: tun == "none" ? nil : tun, trustFile: trustFile),
                logger: logger)
        } catch {
            throw Failure("\(error)")
        }
    }
}
