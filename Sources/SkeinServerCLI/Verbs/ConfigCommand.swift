import ArgumentParser
import ControlMessages
import ControlServer
import Coordination
import MachineCertificates
import NetTypes

struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "The configuration file.", subcommands: [Check.self])

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Says whether the configuration is right, and what it comes to.")
        @OptionGroup var common: CommonOptions

        func run() throws {
            let configuration = try common.configuration()
            let stun = configuration.relay.stunListen?.description ?? "off"
            var values = [
                ("server_url", configuration.serverURL),
                ("listen", configuration.listen.description),
                ("state_dir", configuration.stateDirectory),
                ("tls.certificate", configuration.tls?.certificate ?? "(plain HTTP)"),
                ("relay.enabled", String(configuration.relay.isEnabled)),
                ("relay.region_id", String(configuration.relay.regionID)),
                ("relay.stun_listen", stun),
                ("relay.public_key", try configuration.relayKeyText()),
                ("dns.base_domain", configuration.baseDomain),
                ("addresses.ipv4", configuration.ipv4Range?.description ?? "none"),
                ("addresses.ipv6", configuration.ipv6Range?.description ?? "none"),
                ("machine_certificates.mode", configuration.machineCertificates.mode.rawValue),
            ]
            for region in configuration.relay.regions.sorted(by: { $0.id < $1.id }) {
                let hosts = region.nodes.map(\.hostName).joined(separator: ", ")
                values.append(("relay.regions.\(region.id)", "\(region.code): \(hosts)"))
            }
            let warnings: [String]
            do throws(ControlServerError) {
                warnings = try configuration.checkMachineCertificates(at: Administrator.now.wall)
            } catch {
                throw CommandFailure("\(error)")
            }
            let json = JSON.object(JSONObject(values.map { .init($0.0, .string($0.1)) }))
            let lines =
                values.map { "\($0.0) = \($0.1)" } + warnings.map { "Warning: \($0)" }
                + ["The configuration is right."]
            common.show(json, lines.joined(separator: "\n"))
        }
    }
}
