import LinuxIO
import NetTypes
import SAML
import XMLSecurity

/// This server's key for SAML: it signs requests and decrypts assertions.
package enum SAMLKeys {
    /// In the state directory: key and certificate (PEM), mode 0600.
    package static let fileName = "saml.pem"
    private static let byteLimit = 64 << 10

    /// Takes the server's own key, or makes one that lasts ten years.
    static func loadOrMake(
        _ path: String, host: String, at now: Timestamp
    ) throws(ControlServerError) -> SigningIdentity {
        if let bytes = try read(path) { return try identity(bytes, bytes, path) }
        do {
            let new = try make(host: host, at: now)
            let bytes = new.certificate + new.key
            try AtomicFile.write(bytes, to: path)
            return try SigningIdentity(certificate: bytes.span.bytes, key: bytes.span.bytes)
        } catch let fault as XMLFault {
            throw .certificate(path: path, reason: fault.text)
        } catch {
            throw .certificate(path: path, reason: "\(error)")
        }
    }

    /// The server's own key, or one like it when it has made none yet; nothing is written.
    static func loadOrPretend(
        _ path: String, host: String, at now: Timestamp
    ) throws(ControlServerError) -> SigningIdentity {
        if let bytes = try read(path) { return try identity(bytes, bytes, path) }
        do throws(XMLFault) {
            let new = try make(host: host, at: now)
            return try SigningIdentity(
                certificate: new.certificate.span.bytes, key: new.key.span.bytes)
        } catch {
            throw .certificate(path: path, reason: error.text)
        }
    }

    private static func make(
        host: String, at now: Timestamp
    ) throws(XMLFault) -> SigningIdentity.New {
        // A day back: who reads it may have a clock that is behind.
        try SigningIdentity.make(
            .rsa3072, name: host, from: now + .minutes(-24 * 60),
            to: now + .minutes(3650 * 24 * 60))
    }

    static func load(
        _ files: SAMLSettings.KeyFiles
    ) throws(ControlServerError) -> SigningIdentity {
        guard let certificate = try read(files.certificate) else {
            throw .certificate(path: files.certificate, reason: "there is no such file")
        }
        guard let key = try read(files.key) else {
            throw .certificate(path: files.key, reason: "there is no such file")
        }
        let isPrivate: Bool
        do throws(SystemError) { isPrivate = try AtomicFile.isPrivate(files.key) } catch {
            throw .certificate(path: files.key, reason: error.text)
        }
        guard isPrivate else {
            throw .certificate(path: files.key, reason: "others can read it: chmod 600")
        }
        return try identity(certificate, key, files.certificate)
    }

    /// Nil when there is no such file.
    private static func read(_ path: String) throws(ControlServerError) -> [UInt8]? {
        do throws(SystemError) {
            return try AtomicFile.read(path, limit: byteLimit)
        } catch {
            throw .certificate(path: path, reason: error.text)
        }
    }

    private static func identity(
        _ certificate: [UInt8], _ key: [UInt8], _ path: String
    ) throws(ControlServerError) -> SigningIdentity {
        do throws(XMLFault) {
            return try SigningIdentity(certificate: certificate.span.bytes, key: key.span.bytes)
        } catch {
            throw .certificate(path: path, reason: error.text)
        }
    }
}
