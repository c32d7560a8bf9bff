internal import CryptoPrimitives
package import NIOCore
internal import NIOPosix
package import NIOSSL
internal import NetTypes

/// Opens TCP connections to a relay's node and says what TLS they need.
package struct RelayDialer {
    let eventLoop: any EventLoop
    /// A PEM file with authorities to trust besides the system's.
    var trustFile: String?

    package init(eventLoop: any EventLoop, trustFile: String?) {
        self.eventLoop = eventLoop
        self.trustFile = trustFile
    }

    /// The first connection that any address of the node accepts. It does not read yet.
    package func connect(to node: RelayMap.Node) -> EventLoopFuture<any Channel> {
        let addresses = literalAddresses(of: node)
        guard !addresses.isEmpty else {
            return bootstrap.connect(host: node.hostName, port: Int(node.port))
        }
        let promise = eventLoop.makePromise(of: (any Channel).self)
        let race = NIOLoopBound(
            Race(remaining: addresses.count, promise: promise), eventLoop: eventLoop)
        for address in addresses {
            do {
                let address = try SocketAddress(ipAddress: "\(address)", port: Int(node.port))
                bootstrap.connect(to: address).hop(to: eventLoop).whenComplete { result in
                    race.value.note(result)
                }
            } catch {
                race.value.note(.failure(error))
            }
        }
        return promise.futureResult
    }

    /// Addresses that need no DNS, of the families the map allows.
    private func literalAddresses(of node: RelayMap.Node) -> [IPAddress] {
        var addresses: [IPAddress] = []
        if node.usesIPv6, let address = node.ipv6 { addresses.append(.v6(address)) }
        if node.usesIPv4, let address = node.ipv4 { addresses.append(.v4(address)) }
        if addresses.isEmpty, let address = IPAddress(node.hostName) { addresses.append(address) }
        return addresses
    }

    private var bootstrap: ClientBootstrap {
        // Linux tcp(7): TCP_USER_TIMEOUT in milliseconds, TCP_NOTSENT_LOWAT in bytes: what waits
        // shall wait in the outbox, where disco overtakes and the oldest is dropped.
        ClientBootstrap(group: eventLoop)
            .channelOption(.autoRead, value: false)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.tcpOption(.init(rawValue: 18)), value: 15_000)
            // TCP_KEEPIDLE, TCP_KEEPINTVL: the kernel asks a relay that has missed its keep-alive.
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.tcpOption(.init(rawValue: 4)), value: 100)
            .channelOption(.tcpOption(.init(rawValue: 5)), value: 10)
            .channelOption(.tcpOption(.init(rawValue: 25)), value: 128 << 10)
            .channelOption(.writeBufferWaterMark, value: .init(low: 16 << 10, high: 64 << 10))
            .channelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(
                    minimum: 1 << 10, initial: 4 << 10, maximum: 128 << 10)
            )
            .connectTimeout(.seconds(10))
    }

    /// Connection attempts of which the first to succeed wins. Confined to the event loop.
    private final class Race {
        private var remaining: Int
        private var isWon = false
        private let promise: EventLoopPromise<any Channel>

        init(remaining: Int, promise: EventLoopPromise<any Channel>) {
            self.remaining = remaining
            self.promise = promise
        }

        func note(_ result: Result<any Channel, any Error>) {
            remaining -= 1
            switch result {
            case .success(let channel) where isWon: channel.close(promise: nil)
            case .success(let channel):
                isWon = true
                promise.succeed(channel)
            case .failure(let error): if remaining == 0, !isWon { promise.fail(error) }
            }
        }
    }

    // MARK: TLS

    /// The handler that secures a connection to the node; nil when it is plain HTTP.
    package func securityHandler(for node: RelayMap.Node) throws -> NIOSSLClientHandler? {
        if node.isPlainHTTP { return nil }
        let name = node.certName ?? node.hostName
        if let digits = Self.pin(of: name) {
            guard let pin = Hexadecimal.decode(digits), pin.count == 32 else {
                throw RelayDialError.malformedPin
            }
            return try NIOSSLClientHandler(
                context: TLSContexts.verifying(trustFile),
                serverHostname: Self.serverName(node.hostName),
                customVerificationCallback: { certificates, promise in
                    promise.succeed(
                        Self.matches(certificates.first, pin) ? .certificateVerified : .failed)
                })
        }
        let context =
            try node.isInsecureForTests ? TLSContexts.trusting() : TLSContexts.verifying(trustFile)
        return try NIOSSLClientHandler(context: context, serverHostname: Self.serverName(name))
    }

    private static func pin(of name: String) -> Substring? {
        let prefix = "sha256-raw:"
        return name.hasPrefix(prefix) ? name.dropFirst(prefix.count) : nil
    }

    /// Addresses are not allowed in SNI; the certificate is checked against the peer's then.
    private static func serverName(_ name: String) -> String? {
        IPAddress(name) == nil ? name : nil
    }

    private static func matches(_ certificate: NIOSSLCertificate?, _ pin: [UInt8]) -> Bool {
        // A certificate that cannot be encoded matches no pin.
        guard let certificate, let bytes = try? certificate.toDERBytes() else { return false }
        return unsafe SHA256.hash(bytes.span.bytes) == Bytes32(pin)
    }
}

enum RelayDialError: Error, CustomStringConvertible {
    case malformedPin
    case noNodes

    var description: String {
        switch self {
        case .malformedPin: "the certificate pin in the relay map is not 64 hexadecimal digits"
        case .noNodes: "the region has no relay to connect to"
        }
    }
}

/// Made once where they can be: reading the system's trust roots takes tens of milliseconds.
private enum TLSContexts {
    static func verifying(_ trustFile: String?) throws -> NIOSSLContext {
        guard let trustFile else { return try full.get() }
        return try make(.fullVerification, trustFile)
    }
    static func trusting() throws -> NIOSSLContext { try none.get() }

    private static let full = Result { try make(.fullVerification, nil) }
    private static let none = Result { try make(.none, nil) }

    private static func make(
        _ verification: CertificateVerification, _ trustFile: String?
    ) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.certificateVerification = verification
        if let trustFile {
            configuration.additionalTrustRoots = [
                .certificates(try NIOSSLCertificate.fromPEMFile(trustFile))
            ]
        }
        return try NIOSSLContext(configuration: configuration)
    }
}
