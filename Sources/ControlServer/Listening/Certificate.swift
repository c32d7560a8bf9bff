import Certificates
import CryptoPrimitives
import DERP
import LinuxIO
import NIOSSL
import NetTypes
import Synchronization

/// The certificate in use, which can be read again while connections come in.
final class Certificate: Sendable {
    private let files: ServerConfiguration.TLSFiles
    private let relayKey: RelayKey?
    private let current: Mutex<NIOSSLContext>

    /// `relayKey` is that of the relay behind the certificate, if there is one.
    init(
        _ files: ServerConfiguration.TLSFiles, relayKey: RelayKey?
    ) throws(ControlServerError) {
        self.files = files
        self.relayKey = relayKey
        current = Mutex(try Self.load(files, relayKey))
    }

    var context: NIOSSLContext { current.withLock { $0 } }

    func reload() throws(ControlServerError) {
        let renewed = try Self.load(files, relayKey)
        current.withLock { $0 = renewed }
    }

    /// Tells official clients the relay's key during TLS, so that they log in with their first bytes
    /// (data protocol §4.1): one more certificate in the chain, which vouches for nothing.
    private static func metaCertificate(_ key: RelayKey) -> NIOSSLCertificate? {
        let now = CivilTime.now()
        let day = Nanoseconds.minutes(24 * 60)
        let der = SelfSignedCertificate.make(
            commonName: "derpkey" + Hexadecimal.encode(key.bytes.array),
            serial: Int64(derpProtocolVersion), from: now + day * -30, until: now + day * 365)
        // Without it clients need one round trip more.
        return der.flatMap { try? NIOSSLCertificate(bytes: $0, format: .der) }
    }

    private static func load(
        _ files: ServerConfiguration.TLSFiles, _ relayKey: RelayKey?
    ) throws(ControlServerError) -> NIOSSLContext {
        var chain: [NIOSSLCertificate]
        do { chain = try NIOSSLCertificate.fromPEMFile(files.certificate) } catch {
            throw .certificate(path: files.certificate, reason: "it is no readable PEM file")
        }
        guard !chain.isEmpty else {
            throw .certificate(path: files.certificate, reason: "it holds no certificate")
        }
        if let meta = relayKey.flatMap(metaCertificate) { chain.append(meta) }
        let key: NIOSSLPrivateKey
        do { key = try NIOSSLPrivateKey(file: files.key, format: .pem) } catch {
            throw .certificate(path: files.key, reason: "it holds no readable private key")
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.applicationProtocols = ["http/1.1"]
        configuration.minimumTLSVersion = .tlsv12
        do { return try NIOSSLContext(configuration: configuration) } catch {
            throw .certificate(
                path: files.certificate, reason: "it does not belong to \(files.key)")
        }
    }
}
