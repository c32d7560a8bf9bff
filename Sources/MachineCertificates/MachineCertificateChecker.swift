import Certificates
package import ControlMessages
package import Coordination
package import Logging
package import NetTypes
internal import Synchronization

/// Checks the certificates that machines sign their registrations with, against files that are read again
/// when they change. Any number of threads may ask.
package final class MachineCertificateChecker: Sendable {
    private let settings: MachineCertificateSettings
    private let files: TrustFiles
    /// What nodes connect to; a signature names it.
    private let serverURL: String
    private let logger: Logger
    private let current: Mutex<Current>

    private struct Current {
        var trust: Trust
        var stamp: TrustFiles.Stamp
        var version = 0
    }

    /// Reads all files.
    ///
    /// - Parameter serverURL: without a slash at the end.
    package init(
        _ settings: MachineCertificateSettings, serverURL: String, logger: Logger
    ) throws(MachineCertificateFileError) {
        self.settings = settings
        self.serverURL = serverURL
        self.logger = logger
        files = TrustFiles(settings: settings)
        // The stamp comes first: what changes while it is read is read again.
        let stamp = files.stamp
        let trust = try files.read()
        current = Mutex(Current(trust: trust, stamp: stamp))
    }

    /// When the first revocation list is out of date; nil without lists.
    package var nextRevocationUpdate: Timestamp? {
        current.withLock { $0.trust.store.nextRevocationUpdate }
    }

    /// What a registration's certificate comes to.
    ///
    /// - Parameters:
    ///   - machine: the key that the Noise handshake proved.
    ///   - now: the server's clock.
    package func finding(
        _ signature: MachineSignature?, machine: MachineKey, at now: Timestamp
    ) -> MachineCertificateFinding {
        guard settings.mode != .off, let signature else { return .absent }
        do throws(Refusal) {
            return .valid(try check(signature, machine, now))
        } catch {
            logger.info(
                "machine certificate refused",
                metadata: ["machine": "\(machine.shortText)", "reason": "\(error.reason)"])
            return .invalid(reason: error.reason, isRevoked: error.isRevoked)
        }
    }

    private struct Refusal: Error {
        var reason: String
        var isRevoked = false

        init(_ reason: String, isRevoked: Bool = false) {
            self.reason = reason
            self.isRevoked = isRevoked
        }

        init(_ fault: CertificateFault) {
            reason = fault.text
            if case .revoked = fault { isRevoked = true }
        }
    }

    private func check(
        _ signature: MachineSignature, _ machine: MachineKey, _ now: Timestamp
    ) throws(Refusal) -> MachineCertificate {
        guard let scheme = signature.scheme else {
            throw Refusal("its signature is of a type that is not known here")
        }
        guard scheme == .v2 || settings.acceptsVersion1 else {
            throw Refusal("signatures of the old type \(scheme.rawValue) are not accepted here")
        }
        let age = now - signature.timestamp
        guard age <= settings.maximumAge, age >= .zero - settings.maximumAge else {
            throw Refusal(
                "it was signed at \(signature.timestamp) while the server's clock says \(now): "
                    + "set the machine's clock")
        }
        let chain: CertificateChain
        do throws(CertificateFault) {
            chain = try unsafe CertificateChain(der: signature.certificates.span.bytes)
        } catch {
            throw Refusal(error)
        }
        let message = MachineSignature.signedBytes(
            scheme, timestamp: signature.timestamp, serverURL: serverURL,
            certificates: signature.certificates, machineKey: machine)
        let isSigned = unsafe chain.leafSigned(
            message.span.bytes, signature: signature.signature.span.bytes)
        guard isSigned else {
            throw Refusal(
                "it was not signed with the certificate's key for this machine and \(serverURL)")
        }
        try checkTrust(chain, now)
        let leaf = chain.leaf
        return MachineCertificate(
            subject: leaf.subject, keyHash: leaf.keyHash, serialHash: leaf.serialHash,
            notAfter: leaf.notAfter, signedAt: signature.timestamp,
            owner: settings.owner?.owner(in: chain), chain: signature.certificates)
    }

    /// Whether the certificate of a node that is in was taken back since.
    package func isRevoked(_ certificate: MachineCertificate, at now: Timestamp) -> Bool {
        if upToDate().blockedKeys.contains(certificate.keyHash) { return true }
        // One that is expired or cannot be read any more is refused when the node next brings in a key.
        guard let chain = try? unsafe CertificateChain(der: certificate.chain.span.bytes) else {
            return false
        }
        do throws(Refusal) {
            try checkTrust(chain, now)
            return false
        } catch {
            return error.isRevoked
        }
    }

    /// A number that changes when the files do, which are looked at.
    package var version: Int {
        _ = upToDate()
        return current.withLock { $0.version }
    }

    private func checkTrust(_ chain: CertificateChain, _ now: Timestamp) throws(Refusal) {
        let trust = upToDate()
        let blocked = Refusal("its key is blocked", isRevoked: true)
        if trust.blockedKeys.contains(chain.leaf.keyHash) { throw blocked }
        let path: [Bytes32]
        do throws(CertificateFault) { path = try trust.store.check(chain, at: now) } catch {
            throw Refusal(error)
        }
        if !trust.blockedKeys.isDisjoint(with: path) { throw blocked }
    }

    /// What the files say now: a revocation counts from the next registration on. When new files cannot be
    /// read, the old ones count on.
    private func upToDate() -> Trust {
        current.withLock { current in
            let stamp = files.stamp
            guard stamp != current.stamp else { return current.trust }
            current.stamp = stamp
            do throws(MachineCertificateFileError) {
                current.trust = try files.read()
                current.version += 1
                logger.info("files of machine certificates read again")
            } catch {
                logger.error("keeping the old files of machine certificates: \(error)")
            }
            return current.trust
        }
    }
}
