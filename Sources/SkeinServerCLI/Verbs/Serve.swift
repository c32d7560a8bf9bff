import ArgumentParser
import ControlServer
import Logging
import NetTypes

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs the server, until it is told to stop (SIGTERM).")
    @OptionGroup var common: CommonOptions

    @OptionGroup var logging: LoggingOptions

    func run() async throws {
        let configuration = try common.configuration()
        try await ControlServer.run(
            configuration: configuration, version: SkeinVersion.text, logger: logging.logger)
    }
}

/// What the commands that run for long take.
struct LoggingOptions: ParsableArguments {
    @Option(
        help: "How much to log: trace, debug, info, notice, warning, error.",
        transform: { text in
            guard let level = Logger.Level(rawValue: text) else {
                throw ValidationError("no such level: \(text)")
            }
            return level
        })
    var logLevel = Logger.Level.info

    var logger: Logger {
        var logger = Logger(label: "skein-server") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = logLevel
        return logger
    }
}
