import ArgumentParser
import ControlServer
import NetTypes

struct Relay: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Runs a relay and STUN without a coordination server, until told to stop (SIGTERM).",
        discussion: """
            The file has the keys of `serve` that matter to a relay: listen, state_dir,
            trusted_proxies, [tls] and [relay]. Name the relay in the file of the coordination
            server under [[relay.regions]], so that nodes learn of it.
            """)
    @OptionGroup var common: CommonOptions
    @OptionGroup var logging: LoggingOptions

    func run() async throws {
        try await StandaloneRelay.run(
            configuration: try common.configuration(), version: SkeinVersion.text,
            logger: logging.logger)
    }
}
