package import ControlMessages
package import NetTypes

/// What `register` tells the owner to do.
package enum RegistrationReply: Equatable, Sendable {
    case respond(RegisterResponse)
    /// Hold the request until the event `loginSettled` of this login, or until its sender hangs up;
    /// then ask `register` again with the same request.
    case wait(PendingLoginID)
}

/// Why a registration is refused; the text is shown to the user.
package enum RegistrationRefusal: Error, Equatable {
    case clientTooOld(capabilityVersion: Int)
    case noNodeKey
    case machineKeyMismatch
    case unknownAuthKey
    case revokedAuthKey
    case expiredAuthKey
    case usedAuthKey
    case authKeyWithoutUser
    case userSuspended
    case tagsNotPermitted([String])
    case extendingExpiry
    case noAddressLeft
    case rejectedByAdministrator
    case machineCertificateRequired
    /// Why the certificate or its signature does not count.
    case machineCertificate(String)
    case machineSignatureUsed
    case machineOfAnotherUser
    case certificateWithoutOwner
    case unknownCertificateOwner(String)

    /// Whether a machine certificate is missing or does not count.
    var isAboutCertificate: Bool {
        switch self {
        case .machineCertificateRequired, .machineCertificate, .machineSignatureUsed,
            .machineOfAnotherUser, .certificateWithoutOwner, .unknownCertificateOwner:
            true
        default: false
        }
    }

    package var text: String {
        switch self {
        case .clientTooOld(let version):
            "this client is too old for the server (capability version \(version), needed "
                + "\(CapabilityVersion.minimum)): please update it"
        case .noNodeKey: "the request has no node key"
        case .machineKeyMismatch: "this node key belongs to another machine"
        case .unknownAuthKey:
            "the auth key is not valid: create one with "
                + "'skein-server preauthkeys create --user USER'"
        case .revokedAuthKey: "the auth key was revoked"
        case .expiredAuthKey: "the auth key has expired"
        case .usedAuthKey: "the auth key was used already and is good for one node only"
        case .authKeyWithoutUser: "the user of the auth key does not exist any more"
        case .userSuspended: "the user of the auth key is suspended"
        case .tagsNotPermitted(let tags):
            "the requested tags are not permitted: \(tags.joined(separator: ", "))"
        case .extendingExpiry: "a node cannot extend the expiry of its key: log in again"
        case .noAddressLeft: "the network has no free address left"
        case .rejectedByAdministrator: "an administrator refused this machine"
        case .machineCertificateRequired:
            "this network admits machines with a certificate only: run 'skein up "
                + "--machine-cert FILE --machine-key FILE'"
        case .machineCertificate(let reason): "the machine certificate is refused: \(reason)"
        case .machineSignatureUsed:
            "the machine certificate is refused: its signature is not newer than the last one"
        case .machineOfAnotherUser: "the machine certificate names another user as owner"
        case .certificateWithoutOwner: "the machine certificate names no user of this network"
        case .unknownCertificateOwner(let name):
            "the machine certificate names '\(name)' as owner, who is no user of this network"
        }
    }
}

/// The situations a registration can be in (control protocol §4.4), in the order in which they are
/// looked for.
enum RegistrationCase: Equatable {
    case refused(RegistrationRefusal)
    /// An expiry in the past: the node, if known, logs out.
    case logout(NodeID?)
    /// Known and in order: a restart, or a follow-up whose first answer got lost.
    case refresh(NodeID)
    /// Known, but its key expired: it has to come back with a new one.
    case expired
    case shortenExpiry(NodeID)
    case authKey(String)
    case followup(PendingLoginID)
    case newLogin
}

extension Coordinator {
    /// A node asks to be registered, or to leave.
    ///
    /// - Parameters:
    ///   - machine: the key that the Noise handshake proved.
    ///   - capabilityVersion: the version in the Noise handshake.
    ///   - address: where the request comes from; shown to whoever is to let the machine in.
    ///   - finding: what the request's certificate came to.
    package mutating func register(
        _ request: RegisterRequest, from machine: MachineKey, capabilityVersion: Int,
        address: IPAddress? = nil, certificate finding: MachineCertificateFinding = .absent,
        at now: Moment, random: inout some RandomNumberGenerator
    ) -> Decision<RegistrationReply> {
        do throws(RegistrationRefusal) {
            let situation = classify(request, machine, capabilityVersion, now.wall)
            let certificate = try certificate(finding, for: situation, request, machine)
            switch situation {
            case .refused(let refusal): throw refusal
            case .logout(let id): return logOut(id, at: now.wall)
            case .refresh(let id): return Decision(.respond(confirmation(of: id)))
            case .expired:
                return Decision(.respond(RegisterResponse(isNodeKeyExpired: true)))
            case .shortenExpiry(let id): return try shortenExpiry(of: id, to: request.expiry)
            case .authKey(let text):
                return try registerWithKey(
                    text, request, machine, capabilityVersion, certificate, now.wall)
            case .followup, .newLogin:
                if let certificate, settings.machineCertificates == .sufficient {
                    return try registerWithCertificate(
                        certificate, request, machine, capabilityVersion, now.wall)
                }
                if case .followup(let id) = situation, let login = pendingLogins[id],
                    login.machineKey == machine, login.nodeKey == request.nodeKey
                {
                    if login.isRejected { throw .rejectedByAdministrator }
                    return Decision(.wait(id))
                }
                return beginLogin(
                    request, machine, capabilityVersion, address, certificate, now, &random)
            }
        } catch {
            return refusal(error, request, machine, address, now)
        }
    }

    private mutating func refusal(
        _ error: RegistrationRefusal, _ request: RegisterRequest, _ machine: MachineKey,
        _ address: IPAddress?, _ now: Moment
    ) -> Decision<RegistrationReply> {
        var changes: [Change] = []
        if error.isAboutCertificate,
            certificateRefusals.isNews(error.text, of: machine, at: now.monotonic)
        {
            let name = state.node(key: request.nodeKey)?.name ?? ""
            let entry = AuditEntry(
                time: now.wall, by: Initiator(.node, name: name, address: address),
                .certificateRefused, "machine \(machine.shortText)", isRefused: true,
                detail: error.text)
            changes = [.audit(entry)]
        }
        return Decision(.respond(RegisterResponse(error: error.text)), changes: changes)
    }

    func classify(
        _ request: RegisterRequest, _ machine: MachineKey, _ capabilityVersion: Int,
        _ now: Timestamp
    ) -> RegistrationCase {
        guard capabilityVersion >= CapabilityVersion.minimum else {
            return .refused(.clientTooOld(capabilityVersion: capabilityVersion))
        }
        guard !request.nodeKey.isZero else { return .refused(.noNodeKey) }
        let known = state.node(key: request.nodeKey)
        if let known, known.machineKey != machine { return .refused(.machineKeyMismatch) }
        let isLoggingOut = !request.expiry.isZero && request.expiry <= now
        if isLoggingOut { return .logout(known?.id) }
        if let known, request.authKey == nil {
            if known.isExpired(at: now) { return .expired }
            return request.expiry.isZero ? .refresh(known.id) : .shortenExpiry(known.id)
        }
        if let text = request.authKey {
            return isRepeated(text, known, now) ? .refresh(known!.id) : .authKey(text)
        }
        if !request.followup.isEmpty { return .followup(PendingLoginID(request.followup)) }
        return .newLogin
    }

    /// Whether a node that is in order just sends its key again, as containers do at each start.
    /// The key may be spent by then.
    private func isRepeated(_ text: String, _ known: NodeRecord?, _ now: Timestamp) -> Bool {
        guard let known, !known.isExpired(at: now) else { return false }
        guard let key = state.preAuthKey(text: text) else { return true }
        if known.awaitsApproval, key.isPreApproved { return false }
        return key.tags.isEmpty ? known.isTagged || known.user == key.user : known.tags == key.tags
    }

    // MARK: The cases

    private func logOut(_ id: NodeID?, at now: Timestamp) -> Decision<RegistrationReply> {
        let reply = RegistrationReply.respond(RegisterResponse(isNodeKeyExpired: true))
        guard let id, var node = state.nodes[id] else { return Decision(reply) }
        if node.isEphemeral { return Decision(reply, changes: [.nodeRemoved(id)]) }
        if node.isExpired(at: now) { return Decision(reply) }
        node.expiry = now
        node.lastSeen = now
        return Decision(reply, changes: [.node(node)])
    }

    private func shortenExpiry(
        of id: NodeID, to expiry: Timestamp
    ) throws(RegistrationRefusal) -> Decision<RegistrationReply> {
        guard var node = state.nodes[id] else { throw .noNodeKey }
        if let current = node.expiry, expiry > current { throw .extendingExpiry }
        let reply = RegistrationReply.respond(confirmation(of: id))
        if node.expiry == expiry { return Decision(reply) }
        node.expiry = expiry
        return Decision(reply, changes: [.node(node)])
    }

    /// Starts a login that a person has to complete.
    private mutating func beginLogin(
        _ request: RegisterRequest, _ machine: MachineKey, _ capabilityVersion: Int,
        _ address: IPAddress?, _ certificate: MachineCertificate?, _ now: Moment,
        _ random: inout some RandomNumberGenerator
    ) -> Decision<RegistrationReply> {
        let tags = request.hostinfo?.requestTags ?? []
        guard tags.isEmpty else {
            let refusal = RegistrationRefusal.tagsNotPermitted(tags)
            return Decision(.respond(RegisterResponse(error: refusal.text)))
        }
        let login: PendingLogin
        if let waiting = pendingLogins.login(machine: machine, nodeKey: request.nodeKey) {
            login = waiting
        } else {
            login = PendingLogin(
                id: PendingLoginID(random: &random), machineKey: machine,
                nodeKey: request.nodeKey, hostinfo: request.hostinfo ?? Hostinfo(),
                capabilityVersion: capabilityVersion, isEphemeral: request.isEphemeral,
                requestedExpiry: request.expiry, address: address, certificate: certificate,
                created: now)
            // Those it displaces are of the same machine, which gave up on them, or the oldest of
            // very many; a follow-up to one of them gets a new URL.
            _ = pendingLogins.add(login)
        }
        let url = "\(settings.serverURL)/register/\(login.id)"
        return Decision(.respond(RegisterResponse(authURL: url)))
    }

    private func registerWithKey(
        _ text: String, _ request: RegisterRequest, _ machine: MachineKey,
        _ capabilityVersion: Int, _ certificate: MachineCertificate?, _ now: Timestamp
    ) throws(RegistrationRefusal) -> Decision<RegistrationReply> {
        guard var key = state.preAuthKey(text: text) else { throw .unknownAuthKey }
        if key.isRevoked { throw .revokedAuthKey }
        if let expiry = key.expiry, expiry <= now { throw .expiredAuthKey }
        if key.used != nil, !key.isReusable { throw .usedAuthKey }
        guard let user = state.users[key.user] else { throw .authKeyWithoutUser }
        if user.isSuspended { throw .userSuspended }
        let forbidden = (request.hostinfo?.requestTags ?? []).filter { !key.tags.contains($0) }
        guard forbidden.isEmpty else { throw .tagsNotPermitted(forbidden) }

        let admission = Admission(
            machineKey: machine, nodeKey: request.nodeKey,
            hostinfo: request.hostinfo ?? Hostinfo(), capabilityVersion: capabilityVersion,
            user: key.user, tags: key.tags, isEphemeral: key.isEphemeral || request.isEphemeral,
            requestedExpiry: request.expiry, registration: .preAuthKey, preAuthKey: key.id,
            isApproved: key.isPreApproved, certificate: certificate)
        var (changes, node) = try admit(admission, at: now)
        if !key.isReusable {
            key.used = now
            changes.append(.preAuthKey(key))
        }
        return Decision(.respond(confirmation(of: node)), changes: changes)
    }

    // MARK: Answers

    private func confirmation(of id: NodeID) -> RegisterResponse {
        guard let node = state.nodes[id] else { return RegisterResponse() }
        return confirmation(of: node)
    }

    func confirmation(of node: NodeRecord) -> RegisterResponse {
        let user = owner(of: node)
        return RegisterResponse(
            user: User(id: user.id, displayName: user.shownName, created: user.created),
            login: Login(id: user.id, loginName: user.name, displayName: user.shownName),
            isMachineAuthorized: !node.awaitsApproval)
    }

    /// The user of a node; a made-up one for a node with tags.
    func owner(of node: NodeRecord) -> UserRecord {
        if let id = node.user, let user = state.users[id] { return user }
        return UserRecord(
            id: .taggedDevices, name: "tagged-devices", displayName: "Tagged Devices",
            created: .zero)
    }
}
