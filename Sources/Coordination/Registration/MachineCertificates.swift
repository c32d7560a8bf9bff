import ControlMessages
package import NetTypes

/// Whether machines prove by certificates what they are.
package enum MachineCertificateMode: String, Sendable, CaseIterable {
    /// What machines send of certificates is not looked at.
    case off
    /// A certificate that names a user lets its machine in as a node of that user; other proofs do too.
    case sufficient
    /// No node key comes in or changes without one, whatever other proof there is.
    case required
}

/// A certificate that was checked, and whose private key signed the registration.
package struct MachineCertificate: Equatable, Sendable {
    /// For people.
    package var subject: String
    /// SHA-256 of the public key in its canonical form.
    package var keyHash: Bytes32
    /// SHA-256 of issuer and serial number.
    package var serialHash: Bytes32
    package var notAfter: Timestamp
    /// What the signature says of when it was made.
    package var signedAt: Timestamp
    /// The name of the user to whom the configured rule leads; nil when it leads to none.
    package var owner: String?
    /// The certificates as they were sent (DER), to find out later whether one was taken back.
    package var chain: [UInt8]

    package init(
        subject: String, keyHash: Bytes32, serialHash: Bytes32, notAfter: Timestamp,
        signedAt: Timestamp, owner: String? = nil, chain: [UInt8] = []
    ) {
        self.chain = chain
        self.subject = subject
        self.keyHash = keyHash
        self.serialHash = serialHash
        self.notAfter = notAfter
        self.signedAt = signedAt
        self.owner = owner
    }
}

/// What was found out about the certificate of a registration.
package enum MachineCertificateFinding: Equatable, Sendable {
    /// The request has none, or certificates are off.
    case absent
    case valid(MachineCertificate)
    /// `reason` is shown to the user. `isRevoked`: somebody took the certificate or its key back.
    case invalid(reason: String, isRevoked: Bool)
}

extension Coordinator {
    /// The certificate that counts for a registration; nil when none does and none has to.
    ///
    /// Only what brings in a node key needs one. A known node that comes back with the key it has
    /// brings in nothing; it is refused when its certificate was taken back.
    func certificate(
        _ finding: MachineCertificateFinding, for situation: RegistrationCase,
        _ request: RegisterRequest, _ machine: MachineKey
    ) throws(RegistrationRefusal) -> MachineCertificate? {
        guard settings.machineCertificates != .off else { return nil }
        let isRequired = settings.machineCertificates == .required
        let hasOtherProof: Bool
        switch situation {
        case .refused, .logout, .expired: return nil
        case .refresh, .shortenExpiry:
            if case .invalid(let reason, isRevoked: true) = finding {
                throw .machineCertificate(reason)
            }
            return nil
        case .authKey: hasOtherProof = true
        case .followup, .newLogin: hasOtherProof = false
        }
        switch finding {
        case .absent:
            if isRequired { throw .machineCertificateRequired }
            return nil
        case .invalid(let reason, let isRevoked):
            if isRequired || isRevoked || !hasOtherProof { throw .machineCertificate(reason) }
            return nil
        case .valid(let certificate):
            // A signature does not name the node key, so that who got hold of one, and of the machine
            // key, could bring in another key with it while it is fresh.
            let isUsed = state.nodes(machine: machine).contains { node in
                node.nodeKey != request.nodeKey
                    && node.certificate.map { $0.signedAt >= certificate.signedAt } ?? false
            }
            if isUsed { throw .machineSignatureUsed }
            return certificate
        }
    }

    /// Expires the nodes whose certificates were taken back. `isRevoked` looks at those of nodes that are in.
    package func expireRevoked(
        at now: Timestamp, isRevoked: (MachineCertificate) -> Bool
    ) -> Decision<[NodeRecord]> {
        guard settings.machineCertificates != .off else { return Decision([]) }
        let out = state.sortedNodes.filter { node in
            guard let certificate = node.certificate, !node.isExpired(at: now) else {
                return false
            }
            return isRevoked(certificate)
        }
        let expired = out.map { node in
            var node = node
            node.expiry = now
            return node
        }
        let entries = expired.map { node in
            AuditEntry(
                time: now, by: .server, .certificateRefused, "node \(node.name) (\(node.id))",
                isRefused: true, detail: "the certificate was revoked while it was in")
        }
        return Decision(
            expired, changes: expired.map { .node($0) } + entries.map { .audit($0) })
    }

    /// Checks what must hold of every node that comes in or changes its key, on whatever way.
    func checkCertificate(
        of admission: Admission, at now: Timestamp
    ) throws(RegistrationRefusal) {
        guard settings.machineCertificates == .required else { return }
        guard let certificate = admission.certificate else { throw .machineCertificateRequired }
        // A login may have waited for approval since it was checked.
        guard certificate.notAfter > now else {
            throw .machineCertificate("the certificate has expired")
        }
        guard settings.machineCertificatesNameOwners, admission.tags.isEmpty else { return }
        guard let owner = certificate.owner, owner == state.users[admission.user]?.name else {
            throw .machineOfAnotherUser
        }
    }

    /// Lets a machine in as a node of the user whom its certificate names.
    func registerWithCertificate(
        _ certificate: MachineCertificate, _ request: RegisterRequest, _ machine: MachineKey,
        _ capabilityVersion: Int, _ now: Timestamp
    ) throws(RegistrationRefusal) -> Decision<RegistrationReply> {
        guard let owner = certificate.owner else { throw .certificateWithoutOwner }
        guard let user = state.user(name: owner) else { throw .unknownCertificateOwner(owner) }
        if user.isSuspended { throw .machineCertificate("its owner is suspended") }
        let tags = request.hostinfo?.requestTags ?? []
        guard tags.isEmpty else { throw .tagsNotPermitted(tags) }
        let admission = Admission(
            machineKey: machine, nodeKey: request.nodeKey,
            hostinfo: request.hostinfo ?? Hostinfo(), capabilityVersion: capabilityVersion,
            user: user.id, tags: [], isEphemeral: request.isEphemeral,
            requestedExpiry: request.expiry, registration: .machineCertificate,
            preAuthKey: nil, isApproved: true, certificate: certificate)
        let (changes, node) = try admit(admission, at: now)
        return Decision(.respond(confirmation(of: node)), changes: changes)
    }
}
