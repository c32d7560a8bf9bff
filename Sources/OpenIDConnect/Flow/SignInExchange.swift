internal import ControlMessages
package import Coordination
internal import NetTypes
package import SignIn

/// One sign-in from the code that a browser brought to the person it proves. Whoever owns it does
/// what each step says and hands in the result; it ends after six steps at most.
package struct SignInExchange: Sendable {
    package enum Step: Equatable, Sendable {
        /// To be sent; `handleReply` follows.
        case send(ProviderRequest)
        /// The keys that may have signed the token are wanted, asked for anew when `isFresh` says so
        /// or none is known; `handleKeys` follows.
        case findKeys(IDToken, isFresh: Bool)
        /// The signature is to be checked with each of the keys; `handleSignature` follows.
        case verify(IDToken, [SigningKey])
        case proven(ProvenIdentity, for: SignInPurpose)
        case failed(ProviderFailure)
    }

    private enum Phase {
        case tokens
        case keys(IDToken)
        case signature(IDToken)
        case userInfo(Person?)
        case done
    }

    private let settings: ProviderSettings
    private let method: OAuthMethod
    private let metadata: ProviderMetadata
    private let login: RelyingParty.Login
    private var phase = Phase.tokens
    private var accessToken: String?
    private var hasAskedAgain = false

    init(
        settings: ProviderSettings, method: OAuthMethod, metadata: ProviderMetadata,
        login: RelyingParty.Login
    ) {
        self.settings = settings
        self.method = method
        self.metadata = metadata
        self.login = login
    }

    // MARK: Replies

    package mutating func handleReply(_ reply: ProviderReply, at now: Moment) -> Step {
        switch phase {
        case .tokens: handleTokens(reply)
        case .userInfo(let person): handleUserInfo(reply, person)
        case .keys, .signature, .done: fail("a reply that nobody asked for")
        }
    }

    private mutating func handleTokens(_ reply: ProviderReply) -> Step {
        let document: ProviderDocument
        do throws(ProviderFault) {
            document = try tokenDocument(reply)
        } catch {
            return fail(error.description)
        }
        if let token = document["access_token"]?.string, Self.isToken(token),
            document["token_type"]?.string?.lowercased() == "bearer"
        {
            accessToken = token
        }
        guard case .openID(let openID) = method else { return askUserInfo(nil) }
        guard let text = document["id_token"]?.string else {
            return fail("token answer: no id_token; the scope openid may be missing")
        }
        do throws(TokenFault) {
            let token = try IDToken(text, algorithms: openID.algorithms)
            phase = .keys(token)
            return .findKeys(token, isFresh: false)
        } catch {
            return fail("\(error)")
        }
    }

    /// The answer of the token endpoint, errors of RFC 6749 §5.2 told by their names. GitHub sends
    /// those with status 200.
    private func tokenDocument(_ reply: ProviderReply) throws(ProviderFault) -> ProviderDocument {
        let what = "token answer"
        guard case .answer(let status, let bytes) = reply else {
            _ = try reply.body(of: what)
            throw ProviderFault(what, "none")
        }
        let document: ProviderDocument?
        do throws(DocumentFault) { document = try ProviderDocument(bytes) } catch {
            guard status != 200 else { throw ProviderFault(what, "\(error)") }
            document = nil
        }
        if let error = document?["error"]?.string {
            let more = Printable.line(document?["error_description"]?.string ?? "")
            throw ProviderFault(
                what, "the provider says \(Printable.line(error, limit: 60)): \(more)")
        }
        _ = try reply.body(of: what)
        guard let document else { throw ProviderFault(what, "none") }
        return document
    }

    /// What can stand in a header (RFC 6750 §2.1), and is of a length that servers take.
    private static func isToken(_ text: String) -> Bool {
        (1...16_384).contains(text.utf8.count)
            && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }

    // MARK: Signatures

    package mutating func handleKeys(_ keys: [SigningKey]) -> Step {
        guard case .keys(let token) = phase else { return fail("keys that nobody asked for") }
        guard !keys.isEmpty else { return fail("\(TokenFault.unknownKey)") }
        phase = .signature(token)
        return .verify(token, keys)
    }

    package mutating func handleSignature(isGood: Bool, at now: Moment) -> Step {
        guard case .signature(let token) = phase, case .openID(let openID) = method else {
            return fail("a signature that nobody asked for")
        }
        guard isGood else {
            // A provider may have put another key under the same name.
            guard !hasAskedAgain else { return fail("\(TokenFault.signature)") }
            hasAskedAgain = true
            phase = .keys(token)
            return .findKeys(token, isFresh: true)
        }
        let check = TokenCheck(
            issuer: openID.issuer, clientID: openID.client.id, nonce: login.nonce,
            begun: login.begun)
        do throws(TokenFault) { try check.check(token, at: now.wall) } catch {
            return fail("\(error)")
        }
        guard let person = Person(token.claims, openID.claims) else {
            return fail("\(TokenFault.subject)")
        }
        let isAsked = openID.asksForUserInfo && metadata.userInfoEndpoint != nil
        return isAsked && accessToken != nil ? askUserInfo(person) : prove(person)
    }

    // MARK: User information

    private mutating func askUserInfo(_ person: Person?) -> Step {
        guard let accessToken, let url = metadata.userInfoEndpoint else {
            return fail("token answer: no access token of the type bearer")
        }
        phase = .userInfo(person)
        return .send(
            ProviderRequest(
                url, headers: [.init(name: "Authorization", value: "Bearer \(accessToken)")]))
    }

    private mutating func handleUserInfo(_ reply: ProviderReply, _ known: Person?) -> Step {
        let what = "user information"
        let document: ProviderDocument
        do throws(ProviderFault) {
            let body = try reply.body(of: what)
            do throws(DocumentFault) { document = try ProviderDocument(body) } catch {
                throw ProviderFault(what, "\(error)")
            }
        } catch {
            return fail(error.description)
        }
        switch method {
        case .openID(let openID):
            // It must be of the same person (Core §5.3.2).
            guard var person = known, let told = Person(document, openID.claims),
                told.subject == person.subject
            else { return fail("\(what): it is of somebody else") }
            person.complete(from: told)
            return prove(person)
        case .oauth2(let oauth2):
            guard var person = Person(document, oauth2.claims) else {
                return fail("\(what): no usable \(oauth2.claims.subject)")
            }
            if oauth2.verifiesEmails, !person.email.isEmpty { person.isEmailVerified = true }
            return prove(person)
        }
    }

    // MARK: Ends

    private mutating func prove(_ person: Person) -> Step {
        phase = .done
        switch method {
        case .openID(let openID):
            return .proven(
                person.proven(
                    by: settings.name, issuer: openID.issuer, factor: "OpenID Connect"),
                for: login.purpose)
        case .oauth2(let oauth2):
            // There is no issuer: who answers there says who somebody is.
            return .proven(
                person.proven(
                    by: settings.name, issuer: oauth2.userInfoEndpoint, factor: "OAuth 2"),
                for: login.purpose)
        }
    }

    private mutating func fail(_ detail: String) -> Step {
        phase = .done
        return .failed(
            ProviderFailure(
                text:
                    "\(settings.label) gave no proof of who you are, so nobody was signed in. Please begin again; if it happens once more, an administrator finds the reason in the audit log.",
                detail: detail, wasUnderWay: true))
    }
}
