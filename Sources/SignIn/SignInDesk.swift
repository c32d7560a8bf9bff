import ControlMessages
package import Coordination
internal import CryptoPrimitives
package import NetTypes

/// Decides who is signed in: what a browser has to show, step by step, until a session begins.
///
/// As in `Coordinator`, decisions and their effects are apart: each step looks at the state and
/// returns changes with its reply, which counts once they are stored. The slow part, hashing a
/// password, happens between `beginPassword` and `finishPassword`, outside.
///
/// A provider of identities that is not this server ends in `accept(_:)`: everything behind it
/// (users, roles, second factor, sessions, audit log) is the same for all.
///
/// Not stored, and gone after a restart: sign-ins under way, and what was tried in vain.
package struct SignInDesk: ~Copyable {
    package let settings: SignInSettings
    let secrets: AccountSecrets
    /// The hash that is checked when there is no such user: it takes the same time.
    let decoy: String
    var attempts: AttemptTable<SignInAttempt>
    var throttle = Throttle()
    var challenges: PasskeyChallenges
    var tokens = AccessTokens(lifetime: .minutes(60))
    /// When expired sessions are next looked for.
    private var nextSweep: MonotonicInstant

    /// `decoy` is the hash of an unknown password at `settings.passwordCost`.
    package init(
        _ accounts: Accounts, decoy: String, at now: Moment
    ) {
        settings = accounts.settings
        secrets = accounts.secrets
        self.decoy = decoy
        attempts = AttemptTable(
            capacity: settings.attemptCapacity, lifetime: settings.attemptLifetime)
        challenges = PasskeyChallenges(lifetime: settings.attemptLifetime, at: now.monotonic)
        nextSweep = now.monotonic
    }

    package var accounts: Accounts { Accounts(settings: settings, secrets: secrets) }

    // MARK: Going on

    /// What a browser's attempt waits for; nil when there is none of that name.
    package func attempt(
        _ id: AttemptID, of visitor: Visitor, at now: Moment
    ) -> SignInAttempt? {
        attempts.value(id, of: visitor.browser, at: now.monotonic)
    }

    /// Finds what is still missing, and begins the session when nothing is.
    mutating func advance(
        _ attempt: SignInAttempt, as id: AttemptID?, of user: UserRecord,
        with account: AccountRecord?, _ visitor: Visitor, in state: CoordinationState,
        at now: Moment, random: inout some RandomNumberGenerator
    ) -> Decision<SignInStep> {
        var attempt = attempt
        let isLocal = attempt.provider == ProvenIdentity.local
        let hasShownSecond = attempt.factors.contains { Factor.second.contains($0) }
        if isLocal || attempt.needsSecondFactor, !hasShownSecond {
            if account?.hasSecondFactor == true {
                attempt.phase = .secondFactor
                return Decision(.secondFactor(keep(attempt, id, visitor, now, &random)))
            }
            if attempt.needsSecondFactor || settings.requiresSecondFactor {
                attempt.phase = .setUpOneTimeCodes(
                    secret: random.bytes(count: OneTimeCode.secretByteCount))
                return Decision(.setUpOneTimeCodes(keep(attempt, id, visitor, now, &random)))
            }
        }
        if attempt.factors.contains(Factor.password), account?.isPasswordTemporary == true {
            attempt.phase = .choosePassword
            return Decision(.choosePassword(keep(attempt, id, visitor, now, &random)))
        }
        if let id { attempts.remove(id) }
        return beginSession(attempt, of: user, account, visitor, in: state, at: now, &random)
    }

    mutating func keep(
        _ attempt: SignInAttempt, _ id: AttemptID?, _ visitor: Visitor, _ now: Moment,
        _ random: inout some RandomNumberGenerator
    ) -> AttemptID {
        if let id {
            attempts.update(id, attempt)
            return id
        }
        return attempts.add(attempt, of: visitor.browser, at: now.monotonic, random: &random)
    }

    // MARK: Time

    package var nextDeadline: MonotonicInstant { nextSweep }

    /// Removes sessions that are over.
    package mutating func handleTimeout(
        in state: CoordinationState, at now: Moment
    ) -> Decision<Void> {
        guard nextSweep <= now.monotonic else { return Decision(()) }
        nextSweep = now.monotonic + .minutes(10)
        let over = state.sortedSessions.filter { !isLive($0, at: now.wall) }
        return Decision((), changes: over.map { .sessionRemoved($0.id) })
    }

    // MARK: Words

    /// What sessions say was shown.
    enum Factor {
        static let password = "password"
        static let code = "one-time code"
        static let recovery = "recovery code"
        static let passkey = "passkey"
        /// What counts besides a password, or in place of it.
        static let second = [code, recovery, passkey]
    }

    func initiator(_ user: UserRecord, _ visitor: Visitor) -> Initiator {
        Initiator(.user, name: user.name, address: visitor.address)
    }

    static func refused(
        _ refusal: SignInRefusal, _ initiator: Initiator, _ object: String, _ detail: String,
        at now: Moment
    ) -> Decision<SignInStep> {
        let entry = AuditEntry(
            time: now.wall, by: initiator, .signIn, object, isRefused: true, detail: detail)
        return Decision(.refused(refusal), changes: [.audit(entry)])
    }
}
