package import ControlMessages
package import CryptoPrimitives
package import Logging
package import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL
package import NetTypes

/// A node's line to its coordination server.
///
/// One Noise connection carries all requests. It is dialled when the first request needs it and
/// again after it was lost; attempts that follow failures wait (0.1 s doubling to 30 s, with
/// jitter), so a caller may simply try again in a loop. The server's Noise key is fetched once and
/// kept for the life of the client; `register` fetches it again when there is no connection.
package actor ControlClient {
    package struct Timeouts: Sendable {
        /// One TCP connection.
        package var connect = Duration.seconds(10)
        /// The key, the handshake, and the beginning of an answer that needs no person.
        package var answer = Duration.seconds(20)
        /// The longest silence on the map stream.
        package var mapSilence = Duration.seconds(120)
        /// Silence after which the server is asked for a sign of life, and how long it may take.
        package var pingAfter = Duration.seconds(300)
        package var pingAnswer = Duration.seconds(10)
        /// The same after the network under the node has changed, when doubt is justified.
        package var probeAnswer = Duration.seconds(5)

        package init() {}
    }

    package struct Configuration: Sendable {
        package var serverURL: ServerURL
        package var machineKey: PrivateKey<MachineKind>
        /// What this node announces it understands.
        package var capabilityVersion: UInt16
        package var trust: Trust
        package var timeouts = Timeouts()
        /// The longest message of the map stream, as received and decompressed, in bytes.
        package var messageLimit = 64 << 20

        package init(
            serverURL: ServerURL, machineKey: PrivateKey<MachineKind>,
            capabilityVersion: UInt16 = UInt16(CapabilityVersion.own), trust: Trust = .system
        ) {
            self.serverURL = serverURL
            self.machineKey = machineKey
            self.capabilityVersion = capabilityVersion
            self.trust = trust
        }
    }

    private let configuration: Configuration
    private let logger: Logger
    private let dialer: Dialer

    private var serverKey: MachineKey?
    private var connection: ControlConnection?
    private var dialling: Task<ControlConnection, any Error>?
    private var backoff = Backoff()
    /// The pause under way before an attempt, shared by all who wait.
    private var nap: Task<Void, Never>?
    private var isClosed = false

    /// Throws `TrustError` when the file of `configuration.trust` cannot be read.
    package init(
        _ configuration: Configuration, group: any EventLoopGroup, logger: Logger
    ) throws {
        self.configuration = configuration
        self.logger = logger
        let tls =
            configuration.serverURL.scheme == .https
            ? try configuration.trust.makeContext() : nil
        dialer = Dialer(
            url: configuration.serverURL, group: group, tls: tls,
            timeouts: configuration.timeouts)
    }

    // MARK: Requests

    /// Registers, asks how a login went (`followup`: returns when it is decided), or logs out.
    ///
    /// The answer's `error` is for the caller to look at. Throws when no answer could be had.
    package func register(
        _ request: RegisterRequest
    ) async throws(ControlClientError) -> RegisterResponse {
        let silence = request.followup.isEmpty ? configuration.timeouts.answer : nil
        if connection?.isOpen != true { serverKey = nil }
        let body = try await exchange("/machine/register", request.jsonBytes, silence) { reply in
            try await reply.requireSuccess()
            return try await reply.body(limit: 1 << 20)
        }
        backoff.reset()
        do {
            return try RegisterResponse(jsonBytes: body)
        } catch {
            throw .malformedAnswer("\(error)")
        }
    }

    /// Tells the server about endpoints, host information or the disco key, without a reply and
    /// without disturbing the map stream. `request` must be an update (`omitsPeers`, no stream).
    package func sendUpdate(_ request: MapRequest) async throws(ControlClientError) {
        try await exchange(
            "/machine/map", request.jsonBytes, configuration.timeouts.answer
        ) { reply in
            try await reply.requireSuccess()
            _ = try await reply.body(limit: 1 << 20)
        }
    }

    /// Receives the network map and its changes until the stream ends, which always throws.
    ///
    /// Messages come one at a time: the next is not read before `onResponse` returned. What
    /// `onResponse` throws ends the stream and is thrown on; all else is a `ControlClientError`.
    package func streamMap(
        _ request: MapRequest, onResponse: (MapResponse) async throws -> Void
    ) async throws {
        let limit = configuration.messageLimit
        var refusal: (any Error)?
        do {
            try await exchange(
                "/machine/map", request.jsonBytes, configuration.timeouts.mapSilence
            ) { reply in
                try await reply.requireSuccess()
                var messages = MapFrames(limit: limit)
                while let bytes = try await reply.nextBytes() {
                    messages.append(bytes)
                    while let message = try Self.next(&messages, limit: limit) {
                        backoff.reset()
                        do {
                            try await onResponse(message)
                        } catch {
                            refusal = error
                            throw CancellationError()
                        }
                    }
                }
                try Task.checkCancellation()
                throw ControlClientError.connectionLost(reason: "the server ended the map stream")
            }
        } catch {
            throw refusal ?? error
        }
    }

    private static func next(
        _ messages: inout MapFrames, limit: Int
    ) throws(ControlClientError) -> MapResponse? {
        let bytes: [UInt8]?
        do { bytes = try messages.next() } catch { throw .malformedAnswer("\(error)") }
        guard let bytes else { return nil }
        do {
            return try MapResponse(jsonBytes: bytes, limits: .init(byteCount: limit))
        } catch {
            throw .malformedAnswer("\(error)")
        }
    }

    /// Takes the answer to a `PingRequest` to the URL that it names; nil: shows that we are alive.
    ///
    /// Outside the control channel only this server is spoken to, wherever the URL points: a server
    /// must not have its nodes knock at other people's doors.
    package func deliver(
        _ answer: [UInt8]?, to url: String, throughChannel: Bool
    ) async throws(ControlClientError) {
        let path = try path(of: url, isOwnServerRequired: !throughChannel)
        guard throughChannel else {
            let reply = try await dialer.request(
                PlainRequest(
                    method: answer == nil ? .HEAD : .POST, path: path, body: answer ?? [],
                    replyLimit: 64 << 10), .awaitingAnswer)
            guard (200..<300).contains(reply.status) else {
                throw .malformedAnswer("status \(reply.status) for a ping's answer")
            }
            return
        }
        try await exchange(
            method: answer == nil ? "HEAD" : "POST", path, answer ?? [],
            configuration.timeouts.answer
        ) { reply in
            try await reply.requireSuccess()
            _ = try await reply.body(limit: 64 << 10)
        }
    }

    private func path(
        of url: String, isOwnServerRequired: Bool
    ) throws(ControlClientError) -> String {
        let own = configuration.serverURL
        let prefixes = ["\(own)", "\(own.scheme.rawValue)://\(own.authority)"]
        if let prefix = prefixes.first(where: { url.hasPrefix($0 + "/") }) {
            return String(url.dropFirst(prefix.count))
        }
        let rest = url.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
        guard !isOwnServerRequired, rest.count == 4, rest[0] == "https:" || rest[0] == "http:"
        else { throw .malformedAnswer("a ping's answer is wanted elsewhere") }
        return "/" + rest[3]
    }

    /// The network under the node has changed: waits are over, and a connection that no longer
    /// answers is noticed at once.
    package func networkChanged() {
        backoff.reset()
        nap?.cancel()
        connection?.probe(answerWithin: configuration.timeouts.probeAnswer)
    }

    /// Ends all requests and refuses new ones.
    package func close() {
        isClosed = true
        nap?.cancel()
        dialling?.cancel()
        connection?.close()
        connection = nil
    }

    // MARK: Connection

    /// One request, on the connection there is or a new one.
    private func exchange<Result: Sendable>(
        method: String = "POST", _ path: String, _ body: [UInt8], _ silence: Duration?,
        _ read: (inout ControlReply) async throws -> Result
    ) async throws(ControlClientError) -> Result {
        await pause()
        let connection = try await openConnection()
        do {
            return try await connection.request(
                method: method, path: path, body: body, silence: silence, read)
        } catch {
            let translated = ControlClientError.translating(
                error, configuration.serverURL, while: .awaitingAnswer)
            noteFailure(translated)
            throw translated
        }
    }

    private func openConnection() async throws(ControlClientError) -> ControlConnection {
        guard !isClosed else { throw .closed }
        if let connection, connection.isOpen { return connection }
        connection = nil
        let attempt: Task<ControlConnection, any Error>
        if let dialling {
            attempt = dialling
        } else {
            attempt = Task { try await self.dial() }
            dialling = attempt
        }
        do {
            return try await attempt.value
        } catch {
            throw .translating(error, configuration.serverURL, while: .connecting)
        }
    }

    private func dial() async throws(ControlClientError) -> ControlConnection {
        defer { dialling = nil }
        do throws(ControlClientError) {
            if serverKey == nil {
                serverKey = try await dialer.fetchServerKey(
                    version: Int(configuration.capabilityVersion))
            }
            guard let serverKey else { throw .closed }
            let opened = try await ControlConnection(
                dialer, version: configuration.capabilityVersion,
                machineKey: configuration.machineKey, serverKey: serverKey)
            guard !isClosed else {
                opened.close()
                throw .closed
            }
            connection = opened
            return opened
        } catch {
            noteFailure(error)
            throw error
        }
    }

    /// Waits as the failures before demand; all requests wait for the same pause.
    private func pause() async {
        if nap == nil {
            var random = SecureRandom()
            let length = backoff.pause(random: &random)
            guard length > .zero else { return }
            logger.debug("waiting before the next attempt", metadata: ["pause": "\(length)"])
            // Cancelling the nap is how it is cut short, so that error carries no news.
            nap = Task { _ = try? await Task.sleep(for: length) }
        }
        guard let nap else { return }
        await withTaskCancellationHandler {
            await nap.value
        } onCancel: {
            nap.cancel()
        }
        self.nap = nil
    }

    private func noteFailure(_ error: ControlClientError) {
        switch error {
        case .cancelled, .closed: return
        case .tooManyRequests(let pause, _): backoff.noteFailure(retryAfter: pause)
        default: backoff.noteFailure()
        }
        logger.debug("request failed", metadata: ["error": "\(error)"])
    }
}
