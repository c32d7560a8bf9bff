import Coordination
import SignIn
import WebForms

/// A provider of identities as the pages see it; one for each `[[providers]]`.
///
/// A sign-in begins with a GET of `/login/with/NAME`, a link: the pages' policy lets no form lead
/// elsewhere. The provider remembers it in an `AttemptTable`, which ties it to the browser, and the
/// browser comes back to `/callback/NAME`.
/// - By GET it brings its cookies along, and `finish` sees the query.
/// - By POST from another site it brings none (SameSite=Lax): `receive` keeps the form and names it,
///   and the browser is sent to `/callback/NAME?received=ID` by GET, where `finish` finds it.
protocol IdentityProvider: Sendable {
    var settings: ProviderSettings { get }

    /// A browser wants to sign in: where it is to go.
    func begin(for purpose: SignInPurpose, _ visitor: Visitor) async -> ProviderStep

    /// The browser is back.
    func finish(_ query: FormFields, _ visitor: Visitor) async -> ProviderStep

    /// A form from the provider's site, by a browser that is not known yet. Nil: none is expected.
    func receive(_ form: FormFields) async -> ReceivedForm?

    /// What the provider has to know of this server, in XML: the page `/saml/NAME`.
    func serviceMetadata() async -> String?

    /// What is wrong with its configuration or with the provider, for `skein-server doctor`.
    func diagnose() async -> [Finding]

    /// Closes what it holds.
    func shutDown() async
}

extension IdentityProvider {
    func receive(_ form: FormFields) async -> ReceivedForm? { nil }
    func serviceMetadata() async -> String? { nil }
    func shutDown() async {}
}

/// The name of a form that was kept: hexadecimal digits.
struct ReceivedForm: Equatable, Sendable {
    var id: String
}

enum ProviderStep: Sendable {
    /// To the provider, by an address that its configuration or discovery document gave.
    case leave(url: String)
    /// To the provider by a form of one hidden field, which the person sends.
    case post(url: String, field: String, value: String)
    case proven(ProvenIdentity, for: SignInPurpose)
    case failed(ProviderFailure)
}
