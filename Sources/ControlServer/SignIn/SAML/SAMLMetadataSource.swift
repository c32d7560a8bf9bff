import AsyncHTTPClient
import Coordination
import LinuxIO
import Logging
import NIOCore
import NIOHTTP1
import NIOSSL
import NetTypes
import SAML

/// Where an identity provider's metadata comes from, and what they said last.
///
/// A file is looked at for each sign-in, so a change counts at once. An address is asked when it is needed
/// and the last answer is an hour old; when it gives none, the last one counts on.
actor SAMLMetadataSource {
    private static let byteLimit = 1 << 20
    private static let freshFor = Nanoseconds.minutes(60)
    /// How soon an address is asked again after it gave no answer, or for keys that it may have changed.
    private static let pause = Nanoseconds.minutes(1)

    private let settings: SAMLSettings
    private let client: HTTPClient?
    private let logger: Logger
    private var known: Known?
    /// When it was last asked, with whatever outcome.
    private var asked: MonotonicInstant?
    private var asking: Task<Answer, Never>?

    private struct Known {
        var bytes: [UInt8]
        var record: IdentityProviderRecord
        var received: MonotonicInstant
    }

    private enum Answer: Sendable {
        case bytes([UInt8])
        case none(String)
    }

    init(
        _ settings: SAMLSettings, group: any EventLoopGroup, logger: Logger
    ) throws(ControlServerError) {
        self.settings = settings
        self.logger = logger
        guard case .url = settings.metadata else {
            client = nil
            return
        }
        var tls = TLSConfiguration.makeClientConfiguration()
        if let path = settings.trustFile {
            do {
                tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(path))
            } catch {
                throw .certificate(path: path, reason: "it is no readable PEM file")
            }
        }
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow)
        configuration.timeout.connect = .seconds(5)
        client = HTTPClient(eventLoopGroup: group, configuration: configuration)
    }

    func shutDown() async {
        // Fails only when it is shut down already.
        try? await client?.shutdown()
    }

    /// What the metadata say.
    func record(_ now: Moment) async throws(SAMLRefusal) -> IdentityProviderRecord {
        switch settings.metadata {
        case .file(let path): try readFile(path, now)
        case .url(let url):
            if known.map({ now.monotonic - $0.received >= Self.freshFor }) ?? true {
                try await ask(url, now)
            }
        }
        guard let known else { throw .noProvider("there is no metadata") }
        if let end = known.record.validUntil, end <= now.wall {
            throw .noProvider("the provider's metadata is out of date since \(end)")
        }
        return known.record
    }

    /// Asks again, because a signature did not fit; nil when there is nothing new.
    func renewed(_ now: Moment) async -> IdentityProviderRecord? {
        guard case .url(let url) = settings.metadata else { return nil }
        let old = known?.bytes
        // What went wrong is in the log.
        try? await ask(url, now)
        return known?.bytes == old ? nil : known?.record
    }

    private func readFile(_ path: String, _ now: Moment) throws(SAMLRefusal) {
        let bytes: [UInt8]?
        do throws(SystemError) {
            bytes = try AtomicFile.read(path, limit: Self.byteLimit)
        } catch {
            throw .noProvider("\(path) cannot be read: \(error.text)")
        }
        guard let bytes else { throw .noProvider("there is no file \(path)") }
        try take(bytes, path, now)
    }

    private func ask(_ url: String, _ now: Moment) async throws(SAMLRefusal) {
        if let asked, now.monotonic - asked < Self.pause, asking == nil {
            guard known == nil else { return }
            throw .noProvider("\(url) gave no metadata a moment ago")
        }
        // All who wait for the same answer share it.
        let task = asking ?? Task { await self.fetch(url) }
        asking = task
        let answer = await task.value
        asking = nil
        asked = now.monotonic
        switch answer {
        case .bytes(let bytes):
            do throws(SAMLRefusal) {
                try take(bytes, url, now)
            } catch {
                logger.warning("metadata: \(error.text)")
                if known == nil { throw error }
            }
        case .none(let reason):
            logger.warning("no metadata from \(url): \(reason)")
            if known == nil { throw .noProvider("\(url) gives no metadata: \(reason)") }
        }
    }

    private func fetch(_ url: String) async -> Answer {
        guard let client else { return .none("no client") }
        do {
            let response = try await client.execute(
                HTTPClientRequest(url: url), timeout: .seconds(10))
            guard response.status == .ok else { return .none("status \(response.status.code)") }
            let body = try await response.body.collect(upTo: Self.byteLimit)
            return .bytes(Array(body.readableBytesView))
        } catch {
            return .none("\(error)")
        }
    }

    private func take(_ bytes: [UInt8], _ place: String, _ now: Moment) throws(SAMLRefusal) {
        if known?.bytes == bytes {
            known?.received = now.monotonic
            return
        }
        do throws(IdentityProviderRecord.Fault) {
            let record = try IdentityProviderRecord(
                metadata: bytes.span.bytes, entityID: settings.entityID)
            known = Known(bytes: bytes, record: record, received: now.monotonic)
        } catch {
            throw .noProvider("\(place): \(error.text)")
        }
    }
}
