internal import Glibc
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
    /// Where Debian and its kin keep authorities under the hashes of their names.
    private static let hashedDirectory = "/etc/ssl/certs"

    /// Whether a directory has names like `5ed36f99.0`.
    private static func isHashed(_ path: String) -> Bool {
        guard let directory = unsafe opendir(path) else { return false }
        defer { unsafe closedir(directory) }
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe Array(bytes.prefix { $0 != 0 })
            }
            if name.count == 10, name.suffix(2).elementsEqual(".0".utf8) { return true }
        }
        return false
    }

    func makeContext() throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        // A directory is looked into when a certificate is checked; the bundle of all authorities
        // would be loaded at once and stay in memory.
        if Self.isHashed(Self.hashedDirectory) {
            configuration.trustRoots = .file(Self.hashedDirectory)
        }
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
