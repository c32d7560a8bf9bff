import Logging
import NIOCore
import SAML
import SignIn
import WebForms
import XMLSecurity

extension ProviderConfiguration {
    /// The provider, ready to be asked. Nothing is fetched: a provider that is out of reach keeps
    /// neither the server nor other providers from working.
    func make(
        _ serverURL: String, samlIdentity: SigningIdentity?, group: any EventLoopGroup,
        clock: ServerClock, logger: Logger
    ) throws(ControlServerError) -> any IdentityProvider {
        switch method {
        case .openID, .oauth2: SilentProvider(settings: settings)
        case .saml(let saml):
            try make(saml, serverURL, samlIdentity, group: group, clock: clock, logger: logger)
        }
    }

    private func make(
        _ saml: SAMLSettings, _ serverURL: String, _ own: SigningIdentity?,
        group: any EventLoopGroup, clock: ServerClock, logger: Logger
    ) throws(ControlServerError) -> SAMLProvider {
        guard let identity = try saml.keyFiles.map(SAMLKeys.load) ?? own else {
            throw .certificate(path: SAMLKeys.fileName, reason: "there is no key for SAML")
        }
        return SAMLProvider(
            settings, saml, identity, serverURL: serverURL, callbackURL: callbackURL(serverURL),
            source: try SAMLMetadataSource(saml, group: group, logger: logger), clock: clock,
            logger: logger)
    }

    /// Whether it needs the key for SAML that the server makes for itself.
    var needsSAMLIdentity: Bool {
        if case .saml(let saml) = method { saml.keyFiles == nil } else { false }
    }

    /// Where the provider sends browsers back to: to be registered there, to the letter.
    package func callbackURL(_ serverURL: String) -> String {
        "\(serverURL)/callback/\(settings.name)"
    }
}

/// Answers nothing.
private struct SilentProvider: IdentityProvider {
    let settings: ProviderSettings
    private var failure: ProviderFailure {
        ProviderFailure(
            text: "\(settings.label) cannot be asked now. Please try again later.",
            detail: "out of reach", wasUnderWay: false)
    }

    func begin(for purpose: SignInPurpose, _ visitor: Visitor) async -> ProviderStep {
        .failed(failure)
    }
    func finish(_ query: FormFields, _ visitor: Visitor) async -> ProviderStep { .failed(failure) }
    func diagnose() async -> [Finding] {
        [Finding(.bad, "provider \(settings.name)", failure.detail)]
    }
}
