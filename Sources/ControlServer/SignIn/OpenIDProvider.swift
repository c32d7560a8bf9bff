import NetTypes
import OpenIDClient
import OpenIDConnect
import SignIn
import WebForms

/// A provider of OpenID Connect, or of OAuth 2 alone.
struct OpenIDProvider: IdentityProvider {
    let client: OpenIDClient

    var settings: ProviderSettings { client.settings }

    func begin(for purpose: SignInPurpose, _ visitor: Visitor) async -> ProviderStep {
        step(await client.begin(for: purpose, visitor))
    }

    func finish(_ query: FormFields, _ visitor: Visitor) async -> ProviderStep {
        step(await client.finish(query, visitor))
    }

    func diagnose() async -> [Finding] {
        let subject = "provider \(settings.name)"
        let examination = await client.examine()
        var findings = examination.faults.map { Finding(.bad, subject, $0) }
        findings += examination.facts.map { Finding(.good, subject, $0) }
        if let lead = examination.clockLead {
            let seconds = lead.count / 1_000_000_000
            let isFar = abs(seconds) > TokenCheck.tolerance.count / 1_000_000_000
            findings.append(
                isFar
                    ? Finding(
                        .bad, subject,
                        "its clock is \(seconds) s ahead of this one's; set the wrong one right")
                    : Finding(.good, subject, "its clock and this one's agree"))
        }
        return findings
    }

    func shutDown() async { await client.shutDown() }

    private func step(_ outcome: OpenIDClient.Outcome) -> ProviderStep {
        switch outcome {
        case .leave(let url): .leave(url: url)
        case .proven(let proven, let purpose): .proven(proven, for: purpose)
        case .failed(let failure): .failed(failure)
        }
    }
}
