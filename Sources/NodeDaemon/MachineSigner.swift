import Certificates
import ControlClient
import ControlMessages
import CryptoPrimitives
import LinuxIO
import LocalAPI
import NetTypes

/// Signs registrations with the machine's certificate, whose files are read anew each time, so that a renewed
/// certificate counts at once.
struct MachineSigner: Sendable {
    /// A PEM file: the machine's certificate, then intermediates.
    var certificateFile: String
    /// A PEM file, or a PKCS#11 URI.
    var key: String

    /// Nil when no certificate is configured.
    init?(certificateFile: String, key: String) {
        guard !certificateFile.isEmpty else { return nil }
        self.certificateFile = certificateFile
        self.key = key
    }

    /// One line for the person who named the files.
    struct Failure: Error, CustomStringConvertible {
        var path: String
        var reason: String
        var description: String { "machine certificate: \(path): \(reason)" }
    }

    private static let sizeLimit = 256 << 10

    /// Signs away from the caller's actor: a token may take its time.
    ///
    /// - Parameter serverURL: as it is used, without a slash at the end.
    @concurrent
    func signature(
        serverURL: String, machineKey: MachineKey, at now: Timestamp
    ) async throws(Failure) -> MachineSignature {
        let identity = try load()
        let time = Timestamp(unixSeconds: now.unixSeconds)
        let message = MachineSignature.signedBytes(
            .v2, timestamp: time, serverURL: serverURL, certificates: identity.certificates,
            machineKey: machineKey)
        guard let signature = identity.sign(message.span.bytes) else {
            throw Failure(path: shownKey, reason: "the key does not sign")
        }
        return MachineSignature(
            scheme: .v2, timestamp: time, certificates: identity.certificates,
            signature: signature)
    }

    /// Reads the certificate and its key; also a check of what a person named.
    func load() throws(Failure) -> MachineIdentity {
        let certificates = try read(certificateFile)
        do throws(CertificateFault) {
            if key.hasPrefix("pkcs11:") {
                return try MachineIdentity(certificates: certificates.span.bytes, keyURI: key)
            }
        } catch {
            throw failure(error)
        }
        var pem = try readPrivate(key)
        defer { wipe(&pem) }
        do throws(CertificateFault) {
            return try MachineIdentity(certificates: certificates.span.bytes, key: pem.span.bytes)
        } catch {
            throw failure(error)
        }
    }

    /// A PKCS#11 URI may have a PIN behind its question mark.
    private var shownKey: String { String(key.prefix { $0 != "?" }) }

    private func failure(_ fault: CertificateFault) -> Failure {
        switch fault {
        case .encryptedKey, .keyMismatch, .noPrivateKey, .noTokenProvider:
            Failure(path: shownKey, reason: fault.text)
        default: Failure(path: certificateFile, reason: fault.text)
        }
    }

    private func readPrivate(_ path: String) throws(Failure) -> [UInt8] {
        let isPrivate: Bool
        do throws(SystemError) { isPrivate = try AtomicFile.isPrivate(path) } catch {
            throw Failure(path: path, reason: "cannot be read: \(error.text)")
        }
        guard isPrivate else {
            throw Failure(
                path: path,
                reason: "others than its owner may read or write it: run 'chmod 600 \(path)'")
        }
        return try read(path)
    }

    private func read(_ path: String) throws(Failure) -> [UInt8] {
        do throws(SystemError) {
            if let content = try AtomicFile.read(path, limit: Self.sizeLimit) { return content }
        } catch {
            throw Failure(path: path, reason: "cannot be read: \(error.text)")
        }
        throw Failure(path: path, reason: "there is no such file")
    }
}

extension LocalNode {
    var machineSigner: MachineSigner? {
        MachineSigner(
            certificateFile: prefs.machineCertificate, key: prefs.machineCertificateKey)
    }

    /// The signature of a registration; nil when no certificate is configured.
    ///
    /// A login cannot go on without the certificate it was told to use. A node that is only confirmed goes
    /// on: it would lose a network that does not ask for one.
    func machineSignature(isLogin: Bool) async throws -> MachineSignature? {
        guard let signer = machineSigner else { return nil }
        let serverURL = try ServerURL(prefs.controlURL).description
        do throws(MachineSigner.Failure) {
            return try await signer.signature(
                serverURL: serverURL, machineKey: stored.machineKey.publicKey,
                at: CivilTime.now())
        } catch {
            if isLogin { throw LoginRefusal(description: "\(error)") }
            set(.login, "\(error)")
            return nil
        }
    }
}
