package import Coordination
internal import CryptoPrimitives
package import NetTypes
package import SignIn
package import WebForms

/// How a provider is spoken to.
package enum OAuthMethod: Equatable, Sendable {
    case openID(OpenIDSettings)
    case oauth2(OAuth2Settings)

    package var client: OAuthClient {
        switch self {
        case .openID(let settings): settings.client
        case .oauth2(let settings): settings.client
        }
    }
}

/// This server towards one provider: the authorization code flow (RFC 6749 §4.1) with PKCE
/// (RFC 7636), state and nonce.
///
/// `begin` sends a browser away, `handleReturn` takes it back; what follows is a `SignInExchange`.
/// Each sign-in belongs to one browser, to this provider (whose callback address is its own) and is
/// good once, so no answer can be carried into another browser or to another provider.
package struct RelyingParty: ~Copyable {
    /// A sign-in that is under way at the provider.
    struct Login: Sendable {
        var purpose: SignInPurpose
        var nonce: String
        /// Of PKCE.
        var verifier: String
        var begun: Timestamp
    }

    package enum Begin: Equatable, Sendable {
        case leave(url: String)
        /// The provider has to be asked about itself first; then `begin` comes again.
        case discover
        case failed(ProviderFailure)
    }

    package enum Return: Sendable {
        case exchange(SignInExchange, ProviderRequest)
        case failed(ProviderFailure)
    }

    /// The longest code or state that is taken from a browser, in bytes.
    private static var parameterLimit: Int { 4096 }

    package let settings: ProviderSettings
    package let method: OAuthMethod
    package let callbackURL: String
    private let secret: SecretText?
    private var logins: AttemptTable<Login>
    private var discovery: Discovery

    /// `secret` is that of `method.client`, read from where it is.
    package init(
        _ settings: ProviderSettings, _ method: OAuthMethod, secret: SecretText?,
        callbackURL: String, capacity: Int = 1024, lifetime: Nanoseconds = .minutes(10)
    ) {
        self.settings = settings
        self.method = method
        self.secret = secret
        self.callbackURL = callbackURL
        logins = AttemptTable(capacity: capacity, lifetime: lifetime)
        switch method {
        case .openID: discovery = Discovery()
        case .oauth2(let oauth2): discovery = Discovery(known: ProviderMetadata(oauth2))
        }
    }

    // MARK: Away and back

    package mutating func begin(
        for purpose: SignInPurpose, _ visitor: Visitor, at now: Moment,
        random: inout some RandomNumberGenerator
    ) -> Begin {
        switch discovery.need(at: now.monotonic) {
        case .refresh: return .discover
        case .pause:
            return .failed(
                failure(
                    "\(settings.label) does not answer at present.", isUnderWay: false,
                    detail: discovery.fault ?? ""))
        case .nothing: break
        }
        guard let metadata = discovery.metadata else {
            return .failed(
                failure(
                    "\(settings.label) is not set up.", isUnderWay: false, detail: "no metadata"))
        }
        let login = Login(
            purpose: purpose, nonce: Base64.encodeURL(random.bytes(count: 32)),
            verifier: Base64.encodeURL(random.bytes(count: 32)), begun: now.wall)
        let state = logins.add(
            login, of: visitor.browser, at: now.monotonic, random: &random)
        let verifier = Array(login.verifier.utf8)
        let challenge = unsafe SHA256.hash(verifier.span.bytes)
        var fields: [(name: String, value: String)] = [
            ("response_type", "code"), ("client_id", method.client.id),
            ("redirect_uri", callbackURL), ("scope", method.client.scopes.joined(separator: " ")),
            ("state", state.text), ("code_challenge", Base64.encodeURL(challenge.array)),
            ("code_challenge_method", "S256"),
        ]
        if case .openID = method { fields.append(("nonce", login.nonce)) }
        if method.client.scopes.isEmpty { fields.removeAll { $0.name == "scope" } }
        let address = metadata.authorizationEndpoint.text
        return .leave(
            url: address + (address.contains("?") ? "&" : "?") + FormFields.encode(fields))
    }

    /// The browser is back with the provider's answer.
    package mutating func handleReturn(
        _ query: FormFields, _ visitor: Visitor, at now: Moment
    ) -> Return {
        let state = query["state"]
        guard state.utf8.count <= Self.parameterLimit,
            let login = logins.take(AttemptID(state), of: visitor.browser, at: now.monotonic)
        else {
            return .failed(
                failure(
                    SignInRefusal.attemptGone.text, isUnderWay: false,
                    detail: "an answer to no sign-in of this browser"))
        }
        guard !query.hasRepeatedNames else {
            return .failed(nonsense("an answer with a field twice"))
        }
        guard let metadata = discovery.metadata else { return .failed(nonsense("no metadata")) }
        if let fault = Self.issuerFault(query["iss"], metadata) { return .failed(nonsense(fault)) }
        if !query["error"].isEmpty { return .failed(refusal(query)) }
        let code = query["code"]
        guard (1...Self.parameterLimit).contains(code.utf8.count) else {
            return .failed(nonsense("an answer without a code"))
        }
        let exchange = SignInExchange(
            settings: settings, method: method, metadata: metadata, login: login)
        return .exchange(exchange, tokenRequest(code, login, metadata))
    }

    /// RFC 9207: an answer that names its issuer names this one, and one of a provider that always
    /// does so cannot leave it out.
    private static func issuerFault(_ named: String, _ metadata: ProviderMetadata) -> String? {
        guard let issuer = metadata.issuer else { return nil }
        if named.isEmpty {
            return metadata.namesIssuerInAnswers ? "an answer that names no issuer" : nil
        }
        return named == issuer ? nil : "an answer of another issuer: \(Printable.line(named))"
    }

    private func refusal(_ query: FormFields) -> ProviderFailure {
        let error = Printable.line(query["error"], limit: 60)
        let description = Printable.line(query["error_description"])
        let text =
            error == "access_denied"
            ? "\(settings.label) did not let you in, or you did not agree."
            : "\(settings.label) refused the sign-in (\(error)). An administrator finds the reason in the audit log."
        return failure(text, isUnderWay: true, detail: "the provider says \(error): \(description)")
    }

    private func nonsense(_ detail: String) -> ProviderFailure {
        failure(
            "The answer of \(settings.label) was not right, so nobody was signed in. Please begin again.",
            isUnderWay: true, detail: detail)
    }

    private func failure(
        _ text: String, isUnderWay: Bool, detail: String
    ) -> ProviderFailure {
        ProviderFailure(text: text, detail: detail, wasUnderWay: isUnderWay)
    }

    private func tokenRequest(
        _ code: String, _ login: Login, _ metadata: ProviderMetadata
    ) -> ProviderRequest {
        let client = method.client
        var fields: [(name: String, value: String)] = [
            ("grant_type", "authorization_code"), ("code", code), ("redirect_uri", callbackURL),
            ("code_verifier", login.verifier),
        ]
        var headers: [ProviderRequest.Header] = []
        let offersBasic = metadata.clientAuthentications.contains("client_secret_basic")
        let authentication = client.authentication ?? (offersBasic ? .basic : .post)
        switch (secret, authentication) {
        case (let secret?, .basic):
            let pair = "\(percentEncoded(client.id)):\(percentEncoded(secret.revealed))"
            headers.append(
                .init(name: "Authorization", value: "Basic \(Base64.encode(Array(pair.utf8)))"))
        case (let secret?, .post):
            fields += [("client_id", client.id), ("client_secret", secret.revealed)]
        case (nil, _): fields.append(("client_id", client.id))
        }
        return ProviderRequest(
            metadata.tokenEndpoint, headers: headers, form: FormFields.encode(fields))
    }

    // MARK: What is known of the provider

    /// What to ask it about itself; nil when nothing is to be asked.
    package var metadataRequest: ProviderRequest? {
        guard case .openID(let openID) = method,
            let url = ProviderURL(ProviderMetadata.address(ofIssuer: openID.issuer))
        else { return nil }
        return ProviderRequest(url)
    }

    /// Reads the reply to `metadataRequest`; `keysRequest` of the result follows.
    package func metadata(
        _ reply: ProviderReply
    ) throws(ProviderFault) -> ProviderMetadata {
        guard case .openID(let openID) = method else {
            throw .init("discovery document", "none is needed")
        }
        let body = try reply.body(of: "discovery document")
        do throws(DocumentFault) { return try ProviderMetadata(body, for: openID) } catch {
            throw .init("discovery document", "\(error)")
        }
    }

    package static func keysRequest(_ metadata: ProviderMetadata) -> ProviderRequest? {
        metadata.keysEndpoint.map { ProviderRequest($0) }
    }

    package func keys(_ reply: ProviderReply) throws(ProviderFault) -> KeySet {
        guard case .openID(let openID) = method else { throw .init("keys", "none are needed") }
        let body = try reply.body(of: "keys")
        do throws(DocumentFault) {
            return try KeySet(body, algorithms: openID.algorithms)
        } catch {
            throw .init("keys", "\(error)")
        }
    }

    package mutating func noteDiscovery(
        _ metadata: ProviderMetadata, _ keys: KeySet, at now: Moment
    ) {
        discovery.note(metadata, keys, at: now.monotonic)
    }

    package mutating func noteDiscoveryFailure(_ fault: ProviderFault, at now: Moment) {
        discovery.noteFailure(fault.description, at: now.monotonic)
    }

    /// Whether sign-ins can begin with what is known, though it may be old.
    package func isUsable(at now: Moment) -> Bool { discovery.isUsable(at: now.monotonic) }

    package var knownMetadata: ProviderMetadata? { discovery.metadata }

    /// The keys that may have signed a token.
    package func candidates(for token: IDToken) -> [SigningKey] {
        discovery.keys?.candidates(for: token) ?? []
    }

    /// Whether the provider may be asked for its keys once more.
    package func mayAskForKeys(at now: Moment) -> Bool {
        discovery.mayAskForKeys(at: now.monotonic)
    }

    /// Nil: they were asked for in vain.
    package mutating func noteKeys(_ keys: KeySet?, at now: Moment) {
        discovery.noteKeys(keys, at: now.monotonic)
    }
}

/// Why something of a provider is of no use, in one line.
package struct ProviderFault: Error, Equatable, Sendable, CustomStringConvertible {
    package var what: String
    package var reason: String
    package init(_ what: String, _ reason: String) {
        self.what = what
        self.reason = reason
    }
    package var description: String { "\(what): \(reason)" }
}

extension ProviderReply {
    /// The body of a good answer.
    func body(of what: String) throws(ProviderFault) -> [UInt8] {
        switch self {
        case .none(let reason): throw ProviderFault(what, reason)
        case .answer(200, let body): return body
        case .answer(let status, _):
            let isElsewhere = (300..<400).contains(status)
            throw ProviderFault(
                what, "status \(status)" + (isElsewhere ? ", and redirects are not followed" : ""))
        }
    }
}
