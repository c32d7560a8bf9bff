import LinuxIO
import Logging
import NIOCore
import OpenIDClient
import OpenIDConnect
import SAML
import SignIn
import XMLSecurity

extension ProviderConfiguration {
    /// The provider, ready to be asked. Nothing is fetched: one that is out of reach keeps neither
    /// the server nor the others from working.
    func make(
        _ serverURL: String, samlIdentity: SigningIdentity?, group: any EventLoopGroup,
        clock: ServerClock, logger: Logger
    ) throws(ControlServerError) -> any IdentityProvider {
        switch method {
        case .openID(let openID):
            try make(.openID(openID), serverURL, group: group, clock: clock, logger: logger)
        case .oauth2(let oauth2):
            try make(.oauth2(oauth2), serverURL, group: group, clock: clock, logger: logger)
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

    private func make(
        _ method: OAuthMethod, _ serverURL: String, group: any EventLoopGroup, clock: ServerClock,
        logger: Logger
    ) throws(ControlServerError) -> OpenIDProvider {
        let http: ProviderHTTP
        do throws(ProviderHTTP.TrustFileError) {
            http = try ProviderHTTP(trustFile: method.client.trustFile, group: group)
        } catch {
            throw .certificate(
                path: method.client.trustFile ?? "", reason: "it is no readable PEM file")
        }
        let party = RelyingParty(
            settings, method, secret: try method.client.secret?.read(for: settings.name),
            callbackURL: callbackURL(serverURL))
        return OpenIDProvider(
            client: OpenIDClient(party, http: http, logger: logger) { clock.now })
    }

    /// Where the provider sends browsers back to: to be registered there, to the letter.
    package func callbackURL(_ serverURL: String) -> String {
        "\(serverURL)/callback/\(settings.name)"
    }

    /// Whose word the identities of this provider are.
    package var identityIssuer: String {
        switch method {
        case .openID(let openID): openID.issuer
        case .oauth2(let oauth2): oauth2.userInfoEndpoint
        case .saml(let saml): saml.entityID
        }
    }
}

extension SecretSource {
    private static var byteLimit: Int { 4096 }

    /// The secret; a file may be read by its owner only, and white space around its text is not of
    /// the secret.
    func read(for provider: String) throws(ControlServerError) -> SecretText {
        switch self {
        case .inline(let secret): return secret
        case .file(let path):
            let isPrivate: Bool
            let bytes: [UInt8]
            do throws(SystemError) {
                isPrivate = try AtomicFile.isPrivate(path)
                bytes = try AtomicFile.read(path, limit: Self.byteLimit) ?? []
            } catch {
                throw .provider(provider, reason: "cannot read the secret \(path): \(error)")
            }
            guard isPrivate else {
                throw .provider(
                    provider,
                    reason: "other users may read the secret \(path); run: chmod 600 \(path)")
            }
            let text = String(decoding: bytes, as: UTF8.self)
                .drop { $0.isWhitespace }
            let secret = text.prefix(
                text.count - text.reversed().prefix { $0.isWhitespace }.count)
            guard !secret.isEmpty else {
                throw .provider(provider, reason: "there is no secret in \(path)")
            }
            return SecretText(String(secret))
        }
    }
}
