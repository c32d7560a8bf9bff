import Coordination
package import Logging
import MachineCertificates
import NIOPosix
import NetTypes
import SignIn

/// Looks at a configuration as a whole, and at what it leads to elsewhere. Each part of the server
/// adds a check; checks change nothing and can be made while the server runs.
package struct Doctor: Sendable {
    let configuration: ServerConfiguration
    let logger: Logger

    package init(_ configuration: ServerConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
    }

    private typealias Check = @Sendable (Doctor) async -> [Finding]

    /// In the order in which findings are shown.
    private static let checks: [Check] = [
        { $0.checkAddress() }, { $0.checkWaysIn() }, { $0.checkMachineCertificates() },
        { await $0.checkProviders() },
    ]

    package func examine() async -> [Finding] {
        var findings: [Finding] = []
        for check in Self.checks { findings += await check(self) }
        return findings
    }

    // MARK: Checks

    private func checkAddress() -> [Finding] {
        let url = configuration.serverURL
        if url.hasPrefix("https://") { return [Finding(.good, "server_url", "\(url) is https")] }
        let isHere = IPAddress(configuration.serverHost)?.isLoopback == true
        return [
            Finding(
                isHere ? .doubtful : .bad, "server_url",
                "\(url) is no https: passwords, cookies and answers of providers go in the clear")
        ]
    }

    private func checkWaysIn() -> [Finding] {
        guard !configuration.signIn.hasLocalAccounts, configuration.providers.isEmpty else {
            return []
        }
        return [
            Finding(
                .doubtful, "accounts",
                "local = false and no [[providers]]: nobody can sign in at the pages")
        ]
    }

    private func checkMachineCertificates() -> [Finding] {
        guard configuration.machineCertificates.mode != .off else { return [] }
        let subject = "machine_certificates"
        do throws(ControlServerError) {
            let warnings = try configuration.checkMachineCertificates(at: ServerClock().now.wall)
            return warnings.isEmpty
                ? [Finding(.good, subject, "the files are read")]
                : warnings.map { Finding(.doubtful, subject, $0) }
        } catch {
            return [Finding(.bad, subject, "\(error)")]
        }
    }

    private func checkProviders() async -> [Finding] {
        var findings: [Finding] = []
        for provider in configuration.providers { findings += await check(provider) }
        return findings
    }

    private func check(_ configured: ProviderConfiguration) async -> [Finding] {
        let subject = "provider \(configured.settings.name)"
        var findings = [
            Finding(
                .good, subject,
                "to be registered there: \(configured.callbackURL(configuration.serverURL))")
        ]
        let rules = configured.settings.rules
        if rules.createsUsers, rules.admission.isOpen {
            findings.append(
                Finding(
                    .doubtful, subject,
                    "create_users without allowed_…: whoever has an account there can join"))
        }
        do throws(ControlServerError) {
            let identity =
                configured.needsSAMLIdentity
                ? try SAMLKeys.loadOrPretend(
                    "\(configuration.stateDirectory)/\(SAMLKeys.fileName)",
                    host: configuration.serverHost, at: ServerClock().now.wall) : nil
            let provider = try configured.make(
                configuration.serverURL, samlIdentity: identity,
                group: MultiThreadedEventLoopGroup.singleton, clock: ServerClock(), logger: logger)
            findings += await provider.diagnose()
            await provider.shutDown()
        } catch {
            findings.append(Finding(.bad, subject, "\(error)"))
        }
        return findings
    }
}
