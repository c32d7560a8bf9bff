import Coordination
import CryptoPrimitives
import Logging
import NIOCore
import NetTypes
import SAML
import SignIn
import WebForms
import XMLSecurity

/// An identity provider that speaks SAML 2.0. Signatures are checked here, outside of the actor that
/// coordinates.
actor SAMLProvider: IdentityProvider {
    nonisolated let settings: ProviderSettings
    private let saml: SAMLSettings
    private let source: SAMLMetadataSource
    private let clock: ServerClock
    private let logger: Logger
    private var exchange: SAMLExchange
    private var random = SecureRandom()

    init(
        _ settings: ProviderSettings, _ saml: SAMLSettings, _ identity: SigningIdentity,
        serverURL: String, callbackURL: String, source: SAMLMetadataSource, clock: ServerClock,
        logger: Logger
    ) {
        self.settings = settings
        self.saml = saml
        self.source = source
        self.clock = clock
        self.logger = logger
        exchange = SAMLExchange(
            ServiceProvider(
                entityID: saml.serviceEntityID ?? "\(serverURL)/saml/\(settings.name)",
                responseURL: callbackURL, identity: identity, signsRequests: saml.signsRequests,
                requestBinding: saml.requestBinding, mapping: saml.mapping,
                clockSkew: saml.clockSkew))
    }

    func begin(for purpose: SignInPurpose, _ visitor: Visitor) async -> ProviderStep {
        do throws(SAMLRefusal) {
            let provider = try await source.record(clock.now)
            let request = try exchange.begin(
                for: purpose, visitor, at: provider, clock.now, random: &random)
            switch request {
            case .redirect(let url): return .leave(url: url)
            case .form(let action, let text):
                return .post(url: action, field: "SAMLRequest", value: text)
            }
        } catch {
            return .failed(failure(error, wasUnderWay: false))
        }
    }

    func receive(_ form: FormFields) async -> ReceivedForm? {
        let text = form["SAMLResponse"]
        guard !text.isEmpty else { return nil }
        let receipt: SAMLExchange.Receipt
        do throws(SAMLRefusal) {
            receipt = await judge(text, by: try await source.record(clock.now))
        } catch {
            receipt = .refused(error)
        }
        switch receipt {
        case .kept(let id, _): return ReceivedForm(id: id.text)
        case .refused(let refusal):
            logger.notice(
                "a SAML response was refused",
                metadata: ["provider": "\(settings.name)", "reason": "\(refusal.text)"])
            // Under this name there is nothing, which the browser is told.
            return ReceivedForm(id: "0")
        }
    }

    private func judge(
        _ text: String, by provider: IdentityProviderRecord
    ) async -> SAMLExchange.Receipt {
        let receipt = exchange.receive(text, from: provider, clock.now, random: &random)
        // The provider may have changed its keys.
        guard receipt.refusal == .document(.badSignature),
            let renewed = await source.renewed(clock.now)
        else { return receipt }
        return exchange.receive(text, from: renewed, clock.now, random: &random)
    }

    func finish(_ query: FormFields, _ visitor: Visitor) async -> ProviderStep {
        switch exchange.take(AttemptID(query["received"]), visitor, clock.now) {
        case .proven(let person, let purpose): return .proven(proven(person), for: purpose)
        case .refused(let refusal): return .failed(failure(refusal, wasUnderWay: true))
        case nil:
            return .failed(
                ProviderFailure(
                    text: """
                        Sign-ins begin here, not at \(settings.label), and end in the browser in \
                        which they began, within ten minutes. Please begin again.
                        """,
                    detail: "no response is kept for this browser", wasUnderWay: false))
        }
    }

    private func proven(_ person: SAMLPerson) -> ProvenIdentity {
        let local = person.email.split(separator: "@").first.map { String($0) } ?? ""
        let names = [person.userName, local, person.subject]
        return ProvenIdentity(
            provider: settings.name, issuer: person.issuer, subject: person.subject,
            userName: names.first { !$0.isEmpty } ?? "", displayName: person.displayName,
            email: person.email, isEmailVerified: saml.verifiesEmails && !person.email.isEmpty,
            groups: person.groups, factors: ["SAML"])
    }

    private func failure(_ refusal: SAMLRefusal, wasUnderWay: Bool) -> ProviderFailure {
        let text =
            switch refusal {
            case .noProvider:
                "\(settings.label) cannot be asked now. Please try again later."
            case .status: "\(settings.label) did not sign you in."
            case .busy: SignInRefusal.busy.text
            default:
                "The answer of \(settings.label) was not accepted. Please begin again; if that "
                    + "does not help, ask an administrator: the server's log says why."
            }
        return ProviderFailure(text: text, detail: refusal.text, wasUnderWay: wasUnderWay)
    }

    func serviceMetadata() async -> String? { exchange.service.metadata }

    func shutDown() async { await source.shutDown() }

    // MARK: Doctor

    func diagnose() async -> [Finding] {
        let subject = "provider \(settings.name)"
        let now = clock.now
        var findings: [Finding] = []
        let service = exchange.service
        findings += expiry(
            of: "this server's certificate for SAML", service.identity.expiry, now.wall,
            advice: "some providers refuse it then: make a new one and give them the metadata anew")
        let provider: IdentityProviderRecord
        do throws(SAMLRefusal) { provider = try await source.record(now) } catch {
            return findings + [Finding(.bad, subject, error.text)]
        }
        findings.append(
            Finding(
                .good, subject,
                "the metadata speak of \(provider.entityID), with \(provider.keys.count) keys"))
        for key in provider.keys {
            findings += expiry(
                of: "a certificate in its metadata", key.expiry, now.wall,
                advice: "its key counts all the same")
        }
        let places = [provider.redirectURL, provider.postURL].compactMap { $0 }
        for place in places where !place.hasPrefix("https://") {
            findings.append(Finding(.doubtful, subject, "\(place) is not https"))
        }
        do throws(SAMLRefusal) {
            // Nobody waits for it: it makes room in ten minutes.
            let visitor = Visitor(browser: BrowserID(Bytes32()), address: nil)
            _ = try exchange.begin(for: .account, visitor, at: provider, now, random: &random)
        } catch {
            findings.append(Finding(.bad, subject, error.text))
        }
        return findings
    }

    private func expiry(
        of what: String, _ end: Timestamp, _ now: Timestamp, advice: String
    ) -> [Finding] {
        let subject = "provider \(settings.name)"
        if end <= now { return [Finding(.doubtful, subject, "\(what) ended \(end); \(advice)")] }
        guard end - now < .minutes(30 * 24 * 60) else { return [] }
        return [Finding(.doubtful, subject, "\(what) ends \(end); \(advice)")]
    }
}
