import ControlMessages
package import Coordination
import NetTypes

/// A password to be checked outside, and what comes of it.
package struct PasswordCheck: Sendable {
    /// Nil: nobody has that name, and the outcome does not matter.
    var user: UserID?
    /// What to compare the password with.
    package var hash: String
    var keys: [Throttle.Key]
    var purpose: SignInPurpose
    /// The hash as it is stored, to notice that it was changed meanwhile.
    var sealed: String
}

package enum PasswordQuestion: Sendable {
    case check(PasswordCheck)
    case refused(SignInRefusal)
}

/// What the check outside found.
package struct PasswordOutcome: Equatable, Sendable {
    package var matches: Bool
    /// A new hash of the same password where the old one was made at another cost.
    package var renewed: String?

    package init(matches: Bool, renewed: String? = nil) {
        self.matches = matches
        self.renewed = renewed
    }
}

extension SignInDesk {
    /// Somebody typed a name and a password. What to compare the password with is there for unknown
    /// names too: no answer, and no time it takes, tells whether there is such a user.
    package mutating func beginPassword(
        _ name: String, for purpose: SignInPurpose, _ visitor: Visitor,
        in state: CoordinationState, at now: Moment
    ) -> PasswordQuestion {
        guard settings.hasLocalAccounts else { return .refused(.wrongNameOrPassword) }
        let user = state.user(name: name)
        let account = user.flatMap { state.accounts[$0.id] }
        let keys = throttleKeys(name, account, visitor)
        if let pause = throttle.reserve(keys, at: now.monotonic) {
            return .refused(.wait(pause))
        }
        let none = PasswordCheck(
            user: nil, hash: decoy, keys: keys, purpose: purpose, sealed: "")
        guard let user, let account, account.hasPassword,
            let hash = secrets.open(account.password, as: .password, of: user.id)
        else { return .check(none) }
        return .check(
            PasswordCheck(
                user: user.id, hash: String(decoding: hash, as: UTF8.self), keys: keys,
                purpose: purpose, sealed: account.password))
    }

    private func throttleKeys(
        _ name: String, _ account: AccountRecord?, _ visitor: Visitor
    ) -> [Throttle.Key] {
        let hash = Throttle.hash(name: name)
        if let account, account.knows(visitor.browser) {
            return [.nameAndPlace(hash, .knownBrowser(visitor.browser))]
        }
        let place = Throttle.place(visitor.address)
        return [.nameAndPlace(hash, place), .place(place), .name(hash)]
    }

    /// The password was never compared, because too much else was to be done.
    package mutating func abandon(_ check: PasswordCheck) { throttle.succeed(check.keys) }

    package mutating func finishPassword(
        _ check: PasswordCheck, _ outcome: PasswordOutcome, _ visitor: Visitor,
        in state: CoordinationState, at now: Moment, random: inout some RandomNumberGenerator
    ) -> Decision<SignInStep> {
        guard let id = check.user, let user = state.users[id] else {
            // What was typed as a name may be a password, so it is not kept.
            return Self.refused(
                .wrongNameOrPassword, Initiator(.stranger, address: visitor.address),
                "unknown user", "no such name", at: now)
        }
        let stranger = Initiator(.stranger, address: visitor.address)
        guard outcome.matches, var account = state.accounts[id], account.password == check.sealed
        else {
            return Self.refused(
                .wrongNameOrPassword, stranger, "user \(user.name)", "wrong password", at: now)
        }
        throttle.succeed(check.keys)
        if user.isSuspended {
            return Self.refused(
                .suspended, initiator(user, visitor), "user \(user.name)", "suspended", at: now)
        }
        var changes: [Change] = []
        if let renewed = outcome.renewed {
            account.password = secrets.seal(
                Array(renewed.utf8), as: .password, of: id, random: &random)
            changes.append(.account(account))
        }
        let attempt = SignInAttempt(
            user: id, provider: ProvenIdentity.local, purpose: check.purpose,
            phase: .secondFactor, factors: [Factor.password],
            needsSecondFactor: settings.requiresSecondFactor)
        var decision = advance(
            attempt, as: nil, of: user, with: account, visitor, in: state, at: now,
            random: &random)
        decision.changes = changes + decision.changes
        return decision
    }

    /// The new password of somebody whose old one was an administrator's; `hash` is made of it.
    package mutating func choosePassword(
        _ id: AttemptID, hash: String, _ visitor: Visitor, in state: CoordinationState,
        at now: Moment, random: inout some RandomNumberGenerator
    ) -> Decision<SignInStep> {
        guard let (attempt, user, found) = underWay(id, visitor, in: state, at: now),
            attempt.phase == .choosePassword, var account = found
        else { return Decision(.refused(.attemptGone)) }
        accounts.put(hash, isTemporary: false, into: &account, at: now.wall, random: &random)
        var decision = advance(
            attempt, as: id, of: user, with: account, visitor, in: state, at: now, random: &random)
        decision.changes = [.account(account)] + decision.changes
        return decision
    }

    /// An attempt, and whom it is about as they are now; nil when either is gone or suspended.
    func underWay(
        _ id: AttemptID, _ visitor: Visitor, in state: CoordinationState, at now: Moment
    ) -> (SignInAttempt, UserRecord, AccountRecord?)? {
        guard let attempt = attempt(id, of: visitor, at: now),
            let user = state.users[attempt.user], !user.isSuspended
        else { return nil }
        return (attempt, user, state.accounts[user.id])
    }
}

extension AccountRecord {
    func knows(_ browser: BrowserID) -> Bool {
        knownBrowsers.contains { $0.hash == browser.hash }
    }
}
