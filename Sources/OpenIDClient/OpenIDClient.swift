package import Coordination
import CryptoPrimitives
package import Logging
package import OpenIDConnect
package import SignIn
package import WebForms

/// Carries out what `RelyingParty` and `SignInExchange` decide about one provider.
package actor OpenIDClient {
    package enum Outcome: Equatable, Sendable {
        case leave(url: String)
        case proven(ProvenIdentity, for: SignInPurpose)
        case failed(ProviderFailure)
    }

    /// The most sign-ins that wait for the provider at once.
    private static var exchangeLimit: Int { 32 }

    package nonisolated let settings: ProviderSettings
    package nonisolated let http: ProviderHTTP
    nonisolated let method: OAuthMethod
    private var party: RelyingParty
    let now: @Sendable () -> Moment
    private let logger: Logger
    private var random = SecureRandom()
    private var exchangeCount = 0
    private var discovering: Task<Void, Never>?

    package init(
        _ party: consuming RelyingParty, http: ProviderHTTP, logger: Logger,
        now: @escaping @Sendable () -> Moment
    ) {
        settings = party.settings
        method = party.method
        self.party = party
        self.http = http
        self.logger = logger
        self.now = now
    }

    // MARK: Sign-ins

    package func begin(for purpose: SignInPurpose, _ visitor: Visitor) async -> Outcome {
        var begun = party.begin(for: purpose, visitor, at: now(), random: &random)
        if begun == .discover {
            await discover()
            begun = party.begin(for: purpose, visitor, at: now(), random: &random)
        }
        return outcome(of: begun)
    }

    package func finish(_ query: FormFields, _ visitor: Visitor) async -> Outcome {
        switch party.handleReturn(query, visitor, at: now()) {
        case .failed(let failure): return .failed(failure)
        case .exchange(let exchange, let request):
            guard exchangeCount < Self.exchangeLimit else {
                return .failed(
                    ProviderFailure(
                        text: SignInRefusal.busy.text,
                        detail: "\(Self.exchangeLimit) sign-ins wait for the provider already",
                        wasUnderWay: true))
            }
            exchangeCount += 1
            defer { exchangeCount -= 1 }
            return await carryOut(exchange, .send(request))
        }
    }

    private func carryOut(
        _ exchange: SignInExchange, _ first: SignInExchange.Step
    ) async -> Outcome {
        var exchange = exchange
        var step = first
        while true {
            switch step {
            case .send(let request):
                let (reply, _) = await http.send(request)
                step = exchange.handleReply(reply, at: now())
            case .findKeys(let token, let isFresh):
                step = exchange.handleKeys(await keys(for: token, isFresh: isFresh))
            case .verify(let token, let keys):
                let isGood = await TokenVerifier.isSigned(token, byOneOf: keys)
                step = exchange.handleSignature(isGood: isGood, at: now())
            case .proven(let proven, let purpose): return .proven(proven, for: purpose)
            case .failed(let failure): return .failed(failure)
            }
        }
    }

    // MARK: What the provider says of itself

    /// Asks once, however many wait for it.
    private func discover() async {
        let running = discovering ?? Task { await self.ask() }
        discovering = running
        await running.value
        if discovering == running { discovering = nil }
    }

    private func ask() async {
        do throws(ProviderFault) {
            let (metadata, keys) = try await discovered()
            party.noteDiscovery(metadata, keys, at: now())
        } catch {
            party.noteDiscoveryFailure(error, at: now())
            logger.warning(
                "provider cannot be used",
                metadata: ["provider": "\(settings.name)", "reason": "\(error)"])
        }
    }

    private func discovered() async throws(ProviderFault) -> (ProviderMetadata, KeySet) {
        guard let request = party.metadataRequest else {
            throw ProviderFault("discovery document", "it has no address")
        }
        let metadata = try party.metadata(await http.send(request).0)
        guard let request = RelyingParty.keysRequest(metadata) else {
            throw ProviderFault("keys", "they have no address")
        }
        return (metadata, try party.keys(await http.send(request).0))
    }

    private func keys(for token: IDToken, isFresh: Bool) async -> [SigningKey] {
        let known = party.candidates(for: token)
        guard known.isEmpty || isFresh, party.mayAskForKeys(at: now()),
            let request = party.knownMetadata.flatMap({ RelyingParty.keysRequest($0) })
        else { return known }
        // Before the wait: others that come meanwhile do not ask as well.
        party.noteKeys(nil, at: now())
        do throws(ProviderFault) {
            party.noteKeys(try party.keys(await http.send(request).0), at: now())
        } catch {
            logger.warning(
                "keys cannot be read again",
                metadata: ["provider": "\(settings.name)", "reason": "\(error)"])
        }
        return party.candidates(for: token)
    }

    // For who examines the provider.
    var metadataRequest: ProviderRequest? { party.metadataRequest }
    func metadata(_ reply: ProviderReply) throws(ProviderFault) -> ProviderMetadata {
        try party.metadata(reply)
    }
    func keys(_ reply: ProviderReply) throws(ProviderFault) -> KeySet { try party.keys(reply) }

    package func shutDown() async {
        discovering?.cancel()
        await discovering?.value
        await http.shutDown()
    }

    private func outcome(of begin: RelyingParty.Begin) -> Outcome {
        switch begin {
        case .leave(let url): .leave(url: url)
        case .failed(let failure): .failed(failure)
        case .discover:
            .failed(
                ProviderFailure(
                    text: "\(settings.label) does not answer at present.",
                    detail: "discovery ended without a result", wasUnderWay: false))
        }
    }
}
