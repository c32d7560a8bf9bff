import ControlMessages
package import Coordination
import NetTypes
package import WebAuthn

/// What a page asks the browser for: a signature with a passkey.
package struct PasskeyQuestion: Equatable, Sendable {
    package var party: RelyingParty
    package var challenge: [UInt8]
    /// Empty: any passkey for this server. Whoever has not shown anything yet learns of none.
    package var allowed: [Passkey]
    /// Whether the authenticator has to know its user, by a PIN, a finger, a face.
    package var requiresUserVerification: Bool
}

extension SignInDesk {
    /// A passkey in place of name and password; nil where there is no such way.
    package mutating func passkeyQuestion(
        _ visitor: Visitor, at now: Moment, random: inout some RandomNumberGenerator
    ) -> PasskeyQuestion? {
        guard let party = settings.relyingParty, settings.hasLocalAccounts else { return nil }
        let challenge = challenges.make(
            for: .signIn, visitor, at: now.monotonic, random: &random)
        return PasskeyQuestion(
            party: party, challenge: challenge, allowed: [], requiresUserVerification: true)
    }

    /// A passkey as second factor; nil when the user has none.
    package mutating func passkeyQuestion(
        for id: AttemptID, _ visitor: Visitor, in state: CoordinationState, at now: Moment,
        random: inout some RandomNumberGenerator
    ) -> PasskeyQuestion? {
        guard let party = settings.relyingParty,
            let (attempt, _, account) = underWay(id, visitor, in: state, at: now),
            attempt.phase == .secondFactor, let passkeys = account?.passkeys, !passkeys.isEmpty
        else { return nil }
        let challenge = challenges.make(
            for: .attempt(id), visitor, at: now.monotonic, random: &random)
        return PasskeyQuestion(
            party: party, challenge: challenge, allowed: passkeys, requiresUserVerification: false)
    }

    /// Somebody showed a passkey and nothing else. What is wrong with it is for the audit log alone.
    package mutating func signInWithPasskey(
        _ response: AssertionResponse, for purpose: SignInPurpose, _ visitor: Visitor,
        in state: CoordinationState, at now: Moment, random: inout some RandomNumberGenerator
    ) -> Decision<SignInStep> {
        guard settings.relyingParty != nil, settings.hasLocalAccounts else {
            return Decision(.refused(.wrongPasskey))
        }
        let stranger = Initiator(.stranger, address: visitor.address)
        let found = state.account(passkey: response.credential)
        let isKnown = found?.knows(visitor.browser) == true
        // There is nothing to guess, but checking costs time.
        let keys = isKnown ? [] : [Throttle.Key.place(Throttle.place(visitor.address))]
        if let pause = throttle.reserve(keys, at: now.monotonic) {
            return Decision(.refused(.wait(pause)))
        }
        guard let account = found, let user = state.users[account.user] else {
            return Self.refused(
                .wrongPasskey, stranger, "unknown passkey", "nobody's passkey", at: now)
        }
        let object = "user \(user.name)"
        // Who is known by a provider signs in there, or the provider could not lock them out.
        guard user.identities.isEmpty || account.hasPassword else {
            return Self.refused(
                .wrongPasskey, stranger, object, "a passkey alone is not enough here", at: now)
        }
        guard response.userHandle == account.passkeyHandle else {
            return Self.refused(
                .wrongPasskey, stranger, object, "a passkey of another user", at: now)
        }
        let changed: AccountRecord
        do throws(Refused) {
            changed = try verified(
                response, of: account, .signIn, requiresUserVerification: true, visitor, at: now)
        } catch {
            return Self.refused(error.refusal, stranger, object, error.detail, at: now)
        }
        throttle.succeed(keys)
        if user.isSuspended {
            return Self.refused(
                .suspended, initiator(user, visitor), object, "suspended", at: now)
        }
        let attempt = SignInAttempt(
            user: user.id, provider: ProvenIdentity.local, purpose: purpose, phase: .done,
            factors: [Factor.passkey], needsSecondFactor: settings.requiresSecondFactor)
        return advance(
            attempt, as: nil, of: user, with: changed, visitor, in: state, at: now,
            random: &random
        ).keeping(changed)
    }

    /// A passkey as second factor.
    package mutating func answerSecondFactor(
        _ id: AttemptID, passkey response: AssertionResponse, _ visitor: Visitor,
        in state: CoordinationState, at now: Moment, random: inout some RandomNumberGenerator
    ) -> Decision<SignInStep> {
        guard let (found, user, record) = underWay(id, visitor, in: state, at: now),
            found.phase == .secondFactor, let account = record
        else { return Decision(.refused(.attemptGone)) }
        var attempt = found
        let keys = codeKeys(account, visitor)
        if let pause = throttle.reserve(keys, at: now.monotonic) {
            return Decision(.refused(.wait(pause)))
        }
        let object = "user \(user.name)"
        let changed: AccountRecord
        do throws(Refused) {
            guard response.userHandle.isEmpty || response.userHandle == account.passkeyHandle else {
                throw Refused("a passkey of another user")
            }
            changed = try verified(
                response, of: account, .attempt(id), requiresUserVerification: false, visitor,
                at: now)
        } catch {
            return Self.refused(
                error.refusal, initiator(user, visitor), object, error.detail, at: now)
        }
        throttle.succeed(keys)
        attempt.factors.append(Factor.passkey)
        return advance(
            attempt, as: id, of: user, with: changed, visitor, in: state, at: now,
            random: &random
        ).keeping(changed)
    }

    // MARK: Checking

    /// Why a passkey does not count, for the log and for who showed it.
    struct Refused: Error {
        var refusal = SignInRefusal.wrongPasskey
        var detail: String
        init(_ detail: String) { self.detail = detail }
    }

    /// The account with what a good answer changes in it; uses up the challenge.
    private mutating func verified(
        _ response: AssertionResponse, of account: AccountRecord,
        _ use: PasskeyChallenges.Use, requiresUserVerification: Bool, _ visitor: Visitor,
        at now: Moment
    ) throws(Refused) -> AccountRecord {
        var account = account
        guard let party = settings.relyingParty,
            let index = account.passkeys.firstIndex(where: { $0.id == response.credential })
        else { throw Refused("a passkey that is not theirs") }
        let challenge = try challenge(in: response.clientData, use, visitor, at: now)
        let known = account.passkeys[index]
        let assertion: Assertion
        do throws(PasskeyFault) {
            assertion = try party.authenticate(
                response, challenge: challenge,
                with: KnownCredential(
                    publicKey: known.publicKey, counter: known.counter,
                    isBackupEligible: known.isBackupEligible),
                requiresUserVerification: requiresUserVerification)
        } catch {
            throw Refused("passkey \(known.shortID): \(error.text)")
        }
        try spend(challenge, at: now)
        account.passkeys[index].counter = assertion.counter
        account.passkeys[index].isBackedUp = assertion.isBackedUp
        account.passkeys[index].lastUsed = now.wall
        return account
    }

    /// The challenge that a browser answers, if it is ours, for this, and not used.
    func challenge(
        in clientData: [UInt8], _ use: PasskeyChallenges.Use, _ visitor: Visitor, at now: Moment
    ) throws(Refused) -> [UInt8] {
        let data: ClientData
        do throws(PasskeyFault) {
            data = try ClientData(parsing: clientData)
        } catch {
            throw Refused(error.text)
        }
        guard challenges.isGood(data.challenge, for: use, visitor, at: now.monotonic) else {
            var refused = Refused("a challenge that is too old, was used, or is not ours")
            refused.refusal = .attemptGone
            throw refused
        }
        return data.challenge
    }

    mutating func spend(_ challenge: [UInt8], at now: Moment) throws(Refused) {
        guard challenges.spend(challenge, at: now.monotonic) else {
            var refused = Refused("too many sign-ins by passkey at once")
            refused.refusal = .busy
            throw refused
        }
    }
}

extension Decision<SignInStep> {
    /// The account is stored with it, unless a session that begins brings it along already.
    func keeping(_ account: AccountRecord) -> Self {
        let isThere = changes.contains { if case .account = $0 { true } else { false } }
        return isThere ? self : Decision(reply, changes: [.account(account)] + changes)
    }
}
