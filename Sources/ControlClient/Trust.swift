internal import NIOSSL

/// Whose certificates a client accepts.
package enum Trust: Sendable, Equatable {
    /// The authorities of the operating system.
    case system
    /// Those, and the ones in a PEM file.
    case systemAndFile(String)
}

/// A file of certificates that cannot be used.
package struct TrustError: Error, CustomStringConvertible {
    package var path: String
    package var description: String { "cannot read certificates from \(path)" }
}

extension Trust {
    /// The system's hashed directory is looked into when a certificate is checked, which spares a
    /// node the megabytes that the whole bundle takes when it is loaded.
    private static let hashedDirectory = "/etc/ssl/certs"

    func makeContext() throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        if case .systemAndFile(let path) = self {
            do {
                configuration.additionalTrustRoots = [
                    .certificates(try NIOSSLCertificate.fromPEMFile(path))
                ]
            } catch {
                throw TrustError(path: path)
            }
        }
        return try NIOSSLContext(configuration: configuration)
    }
}
