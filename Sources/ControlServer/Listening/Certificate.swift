import NIOSSL
import Synchronization

/// The certificate in use, which can be read again while connections come in.
final class Certificate: Sendable {
    private let files: ServerConfiguration.TLSFiles
    private let current: Mutex<NIOSSLContext>

    init(_ files: ServerConfiguration.TLSFiles) throws(ControlServerError) {
        self.files = files
        current = Mutex(try Self.load(files))
    }

    var context: NIOSSLContext { current.withLock { $0 } }

    func reload() throws(ControlServerError) {
        let renewed = try Self.load(files)
        current.withLock { $0 = renewed }
    }

    private static func load(_ files: ServerConfiguration.TLSFiles) throws(ControlServerError)
        -> NIOSSLContext
    {
        let chain: [NIOSSLCertificate]
        do { chain = try NIOSSLCertificate.fromPEMFile(files.certificate) } catch {
            throw .certificate(path: files.certificate, reason: "it is no readable PEM file")
        }
        guard !chain.isEmpty else {
            throw .certificate(path: files.certificate, reason: "it holds no certificate")
        }
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
