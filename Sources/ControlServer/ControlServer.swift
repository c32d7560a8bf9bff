import ControlTransport
package import Coordination
package import CryptoPrimitives
package import Logging
package import MachineCertificates
package import NIOCore
import NIOSSL
package import NetTypes
package import SignIn
package import XMLSecurity

/// The coordination server with its embedded relay and STUN, on one TCP port.
package final class ControlServer: Sendable {
    package struct Settings: Sendable {
        /// Where to listen; port 0 takes any.
        package var host: String
        package var port: Int
        /// Nil: plain HTTP.
        package var certificate: ServerConfiguration.TLSFiles?
        /// Whose `X-Forwarded-For` is believed.
        package var trustedProxies: [IPPrefix] = []
        package var coordination: CoordinationSettings
        /// The key of the server's Noise. It must not change: nodes keep the first one they saw.
        package var serverKey: PrivateKey<MachineKind>
        /// Nil: no embedded relay.
        package var relay: RelaySettings?
        /// How users prove who they are. Unless it is set, with a key that is gone at the end.
        package var accounts = Accounts(
            settings: SignInSettings(), secrets: AccountSecrets(SecretBytes()))
        package var machineCertificates = MachineCertificateSettings()
        /// Who else may say who somebody is.
        package var providers: [ProviderConfiguration] = []
        /// Signs requests to SAML providers that have no key of their own in the configuration.
        package var samlIdentity: SigningIdentity?
        /// Shown at `/version`.
        package var version = "0"

        package init(
            host: String, port: Int, coordination: CoordinationSettings,
            serverKey: PrivateKey<MachineKind>
        ) {
            self.host = host
            self.port = port
            self.coordination = coordination
            self.serverKey = serverKey
        }
    }

    package let owner: CoordinationOwner
    private let listener: Listener
    private let halfOpen: HalfOpenConnections
    private let relay: EmbeddedRelay?
    private let hasher: PasswordHasher
    private let checker: MachineCertificateChecker?
    private let providers: [any IdentityProvider]
    private let certificate: Certificate?
    private let logger: Logger

    /// Reads the stored network and begins to serve. `run` must follow.
    package convenience init(
        _ settings: Settings, storage: Storage, group: any EventLoopGroup, logger: Logger
    ) async throws(ControlServerError) {
        try await self.init(
            settings, storage: storage, group: group, logger: logger, timing: .init(),
            limits: .init(), timeouts: .init())
    }

    init(
        _ settings: Settings, storage: Storage, group: any EventLoopGroup, logger: Logger,
        timing: MachineService.Timing, limits: HalfOpenConnections.Limits,
        timeouts: FrontHandler.Timeouts
    ) async throws(ControlServerError) {
        self.logger = logger
        certificate = try settings.certificate.map { files throws(ControlServerError) in
            try Certificate(files, relayKey: settings.relay?.key.publicKey)
        }
        let link = RelayLink()
        do {
            owner = try await CoordinationOwner(
                settings: settings.coordination, accounts: settings.accounts, storage: storage,
                clock: ServerClock(), logger: logger, nodeRemoved: { link.disconnect($0) })
        } catch {
            throw .storage("\(error)")
        }
        hasher = PasswordHasher(cost: settings.accounts.settings.passwordCost)
        let owner = owner
        relay = settings.relay.map { relay in
            EmbeddedRelay(relay, group: group, logger: logger) { node, _ in
                await owner.admits(node)
            }
        }
        link.connect(relay)
        halfOpen = HalfOpenConnections(limits: limits)
        providers = try settings.providers.map { provider throws(ControlServerError) in
            try provider.make(
                settings.coordination.serverURL, samlIdentity: settings.samlIdentity,
                group: group, clock: ServerClock(), logger: logger)
        }
        let people = PeoplePages(
            owner: owner, hasher: hasher, storage: storage,
            serverURL: settings.coordination.serverURL,
            providers: providers,
            hasLocalAccounts: settings.accounts.settings.hasLocalAccounts, logger: logger)
        let checker = try settings.machineCertificateChecker(logger: logger)
        self.checker = checker
        var service = MachineService(owner: owner, timing: timing, logger: logger)
        service.certificates = checker
        var front = Self.front(settings, owner, people, halfOpen, relay, logger, service)
        front.timeouts = timeouts
        var tls: (@Sendable () -> NIOSSLContext)?
        if let certificate { tls = { certificate.context } }
        do {
            listener = try await Listener(
                host: settings.host, port: settings.port, group: group, front: front, tls: tls)
        } catch {
            throw ControlServerError(listening: settings.host, settings.port, error)
        }
    }

    private static func front(
        _ settings: Settings, _ owner: CoordinationOwner, _ people: PeoplePages,
        _ halfOpen: HalfOpenConnections, _ relay: EmbeddedRelay?, _ logger: Logger,
        _ service: MachineService
    ) -> Front {
        let pages = PageResponder(
            makePages(PageSource(settings, owner), people), logger: logger)
        let serverKey = settings.serverKey
        return Front(
            halfOpen: halfOpen,
            clientAddress: ClientAddress(trustedProxies: settings.trustedProxies),
            respond: { head, body, address, _ in
                await pages.respond(to: head, body, from: address)
            },
            openControl: { (message) throws(ControlOpeningError) in
                try ControlOpening(message, serverKey: serverKey)
            },
            startControl: Front.controlStarter { await service.respond(to: $0, $1) },
            relay: relay?.upgrade, logger: logger)
    }

    /// The port it listens on.
    package var port: Int { listener.address?.port ?? 0 }

    /// Connections that have not asked for anything yet, and all.
    package var connectionCounts: (halfOpen: Int, all: Int) {
        (halfOpen.count, listener.open.count)
    }

    /// Nil where machine certificates are off.
    var revocationSweep: RevocationSweep? {
        checker.map { RevocationSweep(owner: owner, checker: $0, logger: logger) }
    }

    /// Reads the certificate again, for connections from now on. The old one stays when the new
    /// one cannot be read.
    package func reloadCertificate() throws(ControlServerError) { try certificate?.reload() }

    /// Says farewell to relay clients and map streams, and closes everything.
    package func shutDown() async {
        relay?.shutDown()
        await owner.endAllSessions()
        await listener.close()
        await owner.finish()
        await hasher.shutDown()
        for provider in providers { await provider.shutDown() }
    }
}

extension PageSource {
    init(_ settings: ControlServer.Settings, _ owner: CoordinationOwner) {
        serverKey = settings.serverKey.publicKey
        version = settings.version
        serverURL = settings.coordination.serverURL
        let derpMap = settings.coordination.derpMap
        self.derpMap = { derpMap }
        isKnown = { await owner.admits($0) }
        checkHealth = { try await owner.checkHealth() }
    }
}
