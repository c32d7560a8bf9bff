import ControlMessages
package import Coordination
import NetTypes
package import WebAuthn

/// What a page asks the browser for: a new passkey.
package struct PasskeyOffer: Equatable, Sendable {
    package var party: RelyingParty
    package var challenge: [UInt8]
    /// What the authenticator is to keep to name the user.
    package var handle: [UInt8]
    package var userName: String
    package var shownName: String
    /// Those of the user that there are: an authenticator with one of them makes no other.
    package var existing: [Passkey]
}

/// A passkey that was made in a browser.
package struct PasskeyAddition: Sendable {
    package var response: RegistrationResponse
    /// What the user calls it; empty for a name made here.
    package var name: String
    package var transports: [String]

    package init(response: RegistrationResponse, name: String, transports: [String]) {
        self.response = response
        self.name = name
        self.transports = transports
    }
}

package enum PasskeyAdded: Equatable, Sendable {
    case refused(SignInRefusal)
    /// With recovery codes, where there were none: they are shown this once.
    case added(recoveryCodes: [String])
}

extension SignInDesk {
    /// For somebody who is signed in.
    package mutating func passkeyOffer(
        for session: LiveSession, _ visitor: Visitor, in state: CoordinationState, at now: Moment,
        random: inout some RandomNumberGenerator
    ) -> PasskeyOffer? {
        offer(
            .session(session.record.id), session.user, state.accounts[session.user.id], visitor,
            at: now, random: &random)
    }

    /// For somebody who needs a second factor to go on.
    package mutating func passkeyOffer(
        for id: AttemptID, _ visitor: Visitor, in state: CoordinationState, at now: Moment,
        random: inout some RandomNumberGenerator
    ) -> PasskeyOffer? {
        guard let (attempt, user, account) = underWay(id, visitor, in: state, at: now),
            case .setUpOneTimeCodes = attempt.phase
        else { return nil }
        return offer(.attempt(id), user, account, visitor, at: now, random: &random)
    }

    private mutating func offer(
        _ use: PasskeyChallenges.Use, _ user: UserRecord, _ account: AccountRecord?,
        _ visitor: Visitor, at now: Moment, random: inout some RandomNumberGenerator
    ) -> PasskeyOffer? {
        let existing = account?.passkeys ?? []
        guard let party = settings.relyingParty, existing.count < settings.passkeysPerUser else {
            return nil
        }
        return PasskeyOffer(
            party: party,
            challenge: challenges.make(for: use, visitor, at: now.monotonic, random: &random),
            handle: handle(of: account, user), userName: user.name, shownName: user.shownName,
            existing: existing)
    }

    private func handle(of account: AccountRecord?, _ user: UserRecord) -> [UInt8] {
        if let account, !account.passkeyHandle.isEmpty { return account.passkeyHandle }
        return secrets.passkeyHandle(of: user.id)
    }

    /// Keeps a new passkey of somebody who is signed in.
    package mutating func addPasskey(
        _ addition: PasskeyAddition, for session: LiveSession, _ visitor: Visitor,
        in state: CoordinationState, at now: Moment, random: inout some RandomNumberGenerator
    ) -> Decision<PasskeyAdded> {
        do throws(Refused) {
            let (account, codes) = try added(
                addition, .session(session.record.id), to: session.user, visitor, in: state,
                at: now, random: &random)
            return Decision(.added(recoveryCodes: codes), changes: [.account(account)])
        } catch {
            let step = Self.refused(
                error.refusal, initiator(session.user, visitor), "user \(session.user.name)",
                error.detail, at: now)
            return Decision(.refused(error.refusal), changes: step.changes)
        }
    }

    /// Keeps a new passkey of somebody who needs a second factor to go on.
    package mutating func setUpPasskey(
        _ id: AttemptID, _ addition: PasskeyAddition, _ visitor: Visitor,
        in state: CoordinationState, at now: Moment, random: inout some RandomNumberGenerator
    ) -> Decision<SignInStep> {
        guard let (found, user, _) = underWay(id, visitor, in: state, at: now),
            case .setUpOneTimeCodes = found.phase
        else { return Decision(.refused(.attemptGone)) }
        var attempt = found
        do throws(Refused) {
            let (account, codes) = try added(
                addition, .attempt(id), to: user, visitor, in: state, at: now, random: &random)
            attempt.factors.append(Factor.passkey)
            attempt.phase = .done
            attempts.update(id, attempt)
            return Decision(.recoveryCodes(id, codes), changes: [.account(account)])
        } catch {
            return Self.refused(
                error.refusal, initiator(user, visitor), "user \(user.name)", error.detail,
                at: now)
        }
    }

    private mutating func added(
        _ addition: PasskeyAddition, _ use: PasskeyChallenges.Use, to user: UserRecord,
        _ visitor: Visitor, in state: CoordinationState, at now: Moment,
        random: inout some RandomNumberGenerator
    ) throws(Refused) -> (AccountRecord, recoveryCodes: [String]) {
        guard let party = settings.relyingParty else { throw Refused("there are no passkeys here") }
        var account = state.accounts[user.id] ?? AccountRecord(user: user.id)
        guard account.passkeys.count < settings.passkeysPerUser else {
            throw Refused("too many passkeys")
        }
        let challenge = try challenge(in: addition.response.clientData, use, visitor, at: now)
        let made: NewCredential
        do throws(PasskeyFault) {
            made = try party.register(addition.response, challenge: challenge)
        } catch {
            throw Refused("new passkey: \(error.text)")
        }
        guard state.account(passkey: made.id) == nil else {
            throw Refused("new passkey: there is one of this name")
        }
        try spend(challenge, at: now)
        let hadNone = !account.hasSecondFactor
        var passkey = Passkey(
            id: made.id, publicKey: made.publicKey, counter: made.counter,
            name: Self.name(addition.name, number: account.passkeys.count + 1), created: now.wall,
            isBackupEligible: made.isBackupEligible, isBackedUp: made.isBackedUp)
        passkey.transports = Self.transports(addition.transports)
        account.passkeys.append(passkey)
        account.passkeyHandle = handle(of: account, user)
        let codes = hadNone ? accounts.makeRecoveryCodes(in: &account, random: &random) : []
        return (account, codes)
    }

    /// Of one line and bounded.
    private static func name(_ typed: String, number: Int) -> String {
        let name = String(
            String.UnicodeScalarView(
                typed.unicodeScalars.filter { !$0.properties.isWhitespace || $0 == " " }
                    .filter { $0.properties.generalCategory != .control }.prefix(64)))
        return name.allSatisfy { $0 == " " } ? "Passkey \(number)" : name
    }

    private static func transports(_ told: [String]) -> [String] {
        told.prefix(8).filter { text in
            (1...32).contains(text.utf8.count)
                && text.utf8.allSatisfy { (0x61...0x7A).contains($0) || $0 == 0x2D }
        }
    }
}

extension Accounts {
    /// Takes a passkey away; with the last second factor the recovery codes go. The reply says whether
    /// there was such a passkey.
    package func removePasskey(
        _ id: [UInt8], of user: UserRecord, in state: CoordinationState
    ) -> Decision<Bool> {
        guard var account = state.accounts[user.id],
            let index = account.passkeys.firstIndex(where: { $0.id == id })
        else { return Decision(false) }
        account.passkeys.remove(at: index)
        if !account.hasSecondFactor { account.recoveryCodes = [] }
        return Decision(true, changes: [.account(account)])
    }
}
