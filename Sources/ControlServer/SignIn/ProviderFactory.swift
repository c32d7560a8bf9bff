import Logging
import NIOCore
import SignIn
import WebForms

extension ProviderConfiguration {
    /// The provider, ready to be asked. Nothing is fetched: a provider that is out of reach keeps
    /// neither the server nor other providers from working.
    func make(
        _ serverURL: String, group: any EventLoopGroup, logger: Logger
    ) throws(ControlServerError) -> any IdentityProvider {
        switch method {
        case .openID, .oauth2: SilentProvider(settings: settings)
        }
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
