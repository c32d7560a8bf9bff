import ControlMessages
package import Coordination
import CryptoPrimitives
import NetTypes

extension SignInDesk {
    /// A one-time code or a recovery code, whichever was typed.
    package mutating func answerSecondFactor(
        _ id: AttemptID, typed: String, _ visitor: Visitor, in state: CoordinationState,
        at now: Moment, random: inout some RandomNumberGenerator
    ) -> Decision<SignInStep> {
        guard let (found, user, record) = underWay(id, visitor, in: state, at: now),
            found.phase == .secondFactor, var account = record
        else { return Decision(.refused(.attemptGone)) }
        var attempt = found
        let keys = codeKeys(account, visitor)
        if let pause = throttle.reserve(keys, at: now.monotonic) {
            return Decision(.refused(.wait(pause)))
        }
        guard let factor = accounts.spend(typed, of: &account, at: now.wall) else {
            return Self.refused(
                .wrongCode, initiator(user, visitor), "user \(user.name)", "wrong code", at: now)
        }
        throttle.succeed(keys)
        attempt.factors.append(factor)
        return advance(
            attempt, as: id, of: user, with: account, visitor, in: state, at: now, random: &random
        ).keeping(account)
    }

    func codeKeys(_ account: AccountRecord, _ visitor: Visitor) -> [Throttle.Key] {
        let known = account.knows(visitor.browser) ? visitor.browser : nil
        return [.codes(account.user.value, known)]
    }

    /// What the page of the set-up shows: the secret as text and as the address in the QR code.
    package func oneTimeCodeSetUp(
        _ id: AttemptID, _ visitor: Visitor, in state: CoordinationState, at now: Moment
    ) -> (secret: String, address: String)? {
        guard let (attempt, user, _) = underWay(id, visitor, in: state, at: now),
            case .setUpOneTimeCodes(let secret) = attempt.phase
        else { return nil }
        let address = OneTimeCode.address(
            secret: secret, issuer: settings.issuer, account: user.name)
        return (Base32.encode(secret), address)
    }

    /// The first code of a new authenticator, which shows that it has the secret.
    package mutating func confirmOneTimeCodes(
        _ id: AttemptID, typed: String, _ visitor: Visitor, in state: CoordinationState,
        at now: Moment, random: inout some RandomNumberGenerator
    ) -> Decision<SignInStep> {
        guard let (found, user, record) = underWay(id, visitor, in: state, at: now),
            case .setUpOneTimeCodes(let secret) = found.phase
        else { return Decision(.refused(.attemptGone)) }
        // The secret is of this attempt: there is nothing to guess.
        guard
            let step = OneTimeCode.acceptedStep(typed, secret: secret, at: now.wall, after: .min)
        else { return Decision(.refused(.wrongCode)) }
        var account = record ?? AccountRecord(user: user.id)
        let codes = accounts.setUp(secret, lastStep: step, in: &account, random: &random)
        var attempt = found
        attempt.factors.append(Factor.code)
        attempt.phase = .done
        attempts.update(id, attempt)
        return Decision(.recoveryCodes(id, codes), changes: [.account(account)])
    }

    /// The recovery codes were read.
    package mutating func goOn(
        _ id: AttemptID, _ visitor: Visitor, in state: CoordinationState, at now: Moment,
        random: inout some RandomNumberGenerator
    ) -> Decision<SignInStep> {
        guard let (attempt, user, account) = underWay(id, visitor, in: state, at: now),
            attempt.phase == .done
        else { return Decision(.refused(.attemptGone)) }
        return advance(
            attempt, as: id, of: user, with: account, visitor, in: state, at: now, random: &random)
    }

    /// Begins the set-up for somebody who is signed in and wants a second factor.
    package mutating func beginSetUp(
        for session: SessionRecord, _ visitor: Visitor, at now: Moment,
        random: inout some RandomNumberGenerator
    ) -> AttemptID {
        let secret = random.bytes(count: OneTimeCode.secretByteCount)
        let attempt = SignInAttempt(
            user: session.user, provider: session.provider, purpose: .account,
            phase: .setUpOneTimeCodes(secret: secret), factors: session.factors,
            replaces: session.id, needsSecondFactor: false)
        return attempts.add(attempt, of: visitor.browser, at: now.monotonic, random: &random)
    }
}
