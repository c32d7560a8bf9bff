package import ControlMessages
package import Coordination
internal import CryptoPrimitives
package import NetTypes

/// Changes to how users prove who they are, whoever makes them: the user, an administrator in a
/// browser, or the command line.
package struct Accounts: Sendable {
    package let settings: SignInSettings
    let secrets: AccountSecrets

    package init(settings: SignInSettings, secrets: AccountSecrets) {
        self.settings = settings
        self.secrets = secrets
    }

    /// Why a password will not do; nil when it does.
    package func problem(withPassword password: String, of userName: String) -> String? {
        let least = settings.minimumPasswordLength
        guard password.count >= least else {
            return "A password needs at least \(least) characters."
        }
        guard password.utf8.count <= 1024 else { return "That password is too long." }
        guard Set(password).count >= 5 else {
            return "A password needs at least five different characters."
        }
        let small = password.lowercased()
        guard !small.contains(userName.lowercased()) || userName.count < 3 else {
            return "A password must not contain the user's name."
        }
        return nil
    }

    /// A password to be told to somebody, which they have to change: 75 random bits.
    package func temporaryPassword(random: inout some RandomNumberGenerator) -> String {
        (0..<3).map { _ in String(RecoveryCode.make(random: &random).prefix(5)) }
            .joined(separator: "-")
    }

    /// Sets a password. All sessions of the user end but `keeping`.
    package func setPassword(
        of user: UserRecord, hash: String, isTemporary: Bool, keeping session: SessionID? = nil,
        in state: CoordinationState, at now: Timestamp, random: inout some RandomNumberGenerator
    ) -> Decision<Void> {
        var account = state.accounts[user.id] ?? AccountRecord(user: user.id)
        put(hash, isTemporary: isTemporary, into: &account, at: now, random: &random)
        // Whoever guessed the old one may have a browser that counts as known.
        if session == nil { account.knownBrowsers = [] }
        return Decision(
            (), changes: [.account(account)] + endings(of: user.id, but: session, in: state))
    }

    /// Takes the authenticator away; the recovery codes stay while there are passkeys.
    package func removeOneTimeCodes(
        of user: UserRecord, in state: CoordinationState
    ) -> Decision<Void> {
        guard var account = state.accounts[user.id] else { return Decision(()) }
        account.oneTimeCodes = nil
        if !account.hasSecondFactor { account.recoveryCodes = [] }
        return Decision((), changes: [.account(account)])
    }

    /// Takes the password away, which leaves passkeys alone to sign in with.
    package func removePassword(
        of user: UserRecord, in state: CoordinationState
    ) -> Decision<Void> {
        guard var account = state.accounts[user.id], !account.passkeys.isEmpty else {
            return Decision(())
        }
        account.password = ""
        account.isPasswordTemporary = false
        return Decision((), changes: [.account(account)])
    }

    /// Takes every second factor away: authenticator, passkeys and recovery codes.
    package func removeSecondFactor(
        of user: UserRecord, in state: CoordinationState
    ) -> Decision<Void> {
        guard var account = state.accounts[user.id] else { return Decision(()) }
        account.oneTimeCodes = nil
        account.passkeys = []
        account.recoveryCodes = []
        return Decision((), changes: [.account(account)])
    }

    /// New recovery codes in place of the old; the reply has them, and nothing else ever will.
    package func renewRecoveryCodes(
        of user: UserRecord, in state: CoordinationState, random: inout some RandomNumberGenerator
    ) -> Decision<[String]> {
        guard var account = state.accounts[user.id], account.hasSecondFactor else {
            return Decision([])
        }
        let codes = makeRecoveryCodes(in: &account, random: &random)
        return Decision(codes, changes: [.account(account)])
    }

    package func endings(
        of user: UserID, but kept: SessionID? = nil, in state: CoordinationState
    ) -> [Change] {
        state.sessions(of: user).filter { $0.id != kept }.map { .sessionRemoved($0.id) }
    }

    // MARK: Parts

    func put(
        _ hash: String, isTemporary: Bool, into account: inout AccountRecord, at now: Timestamp,
        random: inout some RandomNumberGenerator
    ) {
        account.password = secrets.seal(
            Array(hash.utf8), as: .password, of: account.user, random: &random)
        account.isPasswordTemporary = isTemporary
        account.passwordChanged = now
    }

    func setUp(
        _ secret: [UInt8], lastStep: Int64, in account: inout AccountRecord,
        random: inout some RandomNumberGenerator
    ) -> [String] {
        account.oneTimeCodes = .init(
            secret: secrets.seal(secret, as: .oneTimeCodes, of: account.user, random: &random),
            lastStep: lastStep)
        return makeRecoveryCodes(in: &account, random: &random)
    }

    func makeRecoveryCodes(
        in account: inout AccountRecord, random: inout some RandomNumberGenerator
    ) -> [String] {
        let codes = (0..<RecoveryCode.count).map { _ in RecoveryCode.make(random: &random) }
        account.recoveryCodes = codes.compactMap { RecoveryCode.normalized($0) }
            .map { secrets.hash(recoveryCode: $0, of: account.user) }
        return codes
    }

    /// Uses up a one-time or recovery code; the reply names its kind, nil when it is not good.
    package func spend(
        _ typed: String, of account: inout AccountRecord, at now: Timestamp
    ) -> String? {
        if let letters = RecoveryCode.normalized(typed) {
            let hash = secrets.hash(recoveryCode: letters, of: account.user)
            guard let index = account.recoveryCodes.firstIndex(of: hash) else { return nil }
            account.recoveryCodes.remove(at: index)
            return SignInDesk.Factor.recovery
        }
        guard let codes = account.oneTimeCodes,
            let secret = secrets.open(codes.secret, as: .oneTimeCodes, of: account.user),
            let step = OneTimeCode.acceptedStep(
                typed, secret: secret, at: now, after: codes.lastStep)
        else { return nil }
        account.oneTimeCodes?.lastStep = step
        return SignInDesk.Factor.code
    }

    /// The hash that a password of this user is compared with; nil when they have none.
    package func passwordHash(of user: UserID, in state: CoordinationState) -> String? {
        guard let account = state.accounts[user], account.hasPassword else { return nil }
        return secrets.open(account.password, as: .password, of: user)
            .map { String(decoding: $0, as: UTF8.self) }
    }
}
