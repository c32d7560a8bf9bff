import ControlMessages
package import Coordination
internal import NetTypes

extension SignInDesk {
    /// A provider has proved who somebody is. Whoever calls this has made sure that the answer
    /// belongs to this browser.
    package mutating func accept(
        _ proven: ProvenIdentity, _ rules: ProviderRules, for purpose: SignInPurpose,
        _ visitor: Visitor, in state: CoordinationState, at now: Moment,
        random: inout some RandomNumberGenerator
    ) -> Decision<SignInStep> {
        precondition(
            proven.identity.provider != ProvenIdentity.local, "accounts have a way of their own")
        let person = "somebody at \(proven.provider)"
        let stranger = Initiator(.stranger, address: visitor.address)
        if let objection = rules.admission.objection(to: proven) {
            return refusedByProvider(
                .notAdmitted, stranger, person, objection, visitor, at: now)
        }
        let user: UserRecord
        var changes: [Change] = []
        if let known = state.user(identity: proven.identity) {
            user = Self.updated(known, proven)
            if user != known { changes.append(.user(user)) }
        } else if rules.createsUsers {
            user = Self.newUser(proven, rules, state, at: now.wall)
            changes.append(.user(user))
        } else {
            return refusedByProvider(
                .unknownPerson, stranger, person,
                "not known here; their subject is \(Self.shown(proven.identity.subject))", visitor,
                at: now)
        }
        if user.isSuspended {
            return Self.refused(
                .suspended, initiator(user, visitor), "user \(user.name)", "suspended", at: now)
        }
        let attempt = SignInAttempt(
            user: user.id, provider: proven.provider, purpose: purpose,
            phase: .secondFactor, factors: proven.factors,
            needsSecondFactor: rules.needsSecondFactorHere)
        var decision = advance(
            attempt, as: nil, of: user, with: state.accounts[user.id], visitor, in: state, at: now,
            random: &random)
        decision.changes = changes + decision.changes
        return decision
    }

    /// A provider's text as one short line.
    private static func shown(_ text: String) -> String {
        let scalars = text.unicodeScalars.filter { $0.properties.generalCategory != .control }
        return String(String.UnicodeScalarView(scalars.prefix(255)))
    }

    /// What the provider says today. The name stays: people know it, and another may have it.
    private static func updated(_ user: UserRecord, _ proven: ProvenIdentity) -> UserRecord {
        var user = user
        if !proven.displayName.isEmpty { user.displayName = proven.displayName }
        if !proven.email.isEmpty { user.email = proven.email }
        if let groups = proven.groups { user.groups = groups }
        return user
    }

    private static func newUser(
        _ proven: ProvenIdentity, _ rules: ProviderRules, _ state: CoordinationState,
        at now: Timestamp
    ) -> UserRecord {
        let wanted = Coordinator.userName(from: proven.userName)
        var name = wanted
        var number = 2
        // Somebody who has the name already is somebody else.
        while state.user(name: name) != nil {
            name = "\(wanted)-\(number)"
            number += 1
        }
        var user = UserRecord(
            id: UserID(state.highest.user + 1), name: name, displayName: proven.displayName,
            created: now)
        user.role = rules.role
        user.email = proven.email
        user.groups = proven.groups ?? []
        user.identities = [proven.identity]
        return user
    }

    /// A provider's answer was no proof, or it gave none: `detail` is for the audit log, and `text`
    /// for the person.
    package mutating func noteProviderFailure(
        _ provider: String, detail: String, _ visitor: Visitor, at now: Moment
    ) -> Decision<Void> {
        let decision = refusedByProvider(
            .notAdmitted, Initiator(.stranger, address: visitor.address),
            "somebody at \(provider)", detail, visitor, at: now)
        return Decision((), changes: decision.changes)
    }

    /// As `refused`, but a stranger can bring this about at will, so beyond a number for each address
    /// it is not written down.
    private mutating func refusedByProvider(
        _ refusal: SignInRefusal, _ initiator: Initiator, _ object: String, _ detail: String,
        _ visitor: Visitor, at now: Moment
    ) -> Decision<SignInStep> {
        let place = Throttle.place(visitor.address)
        guard throttle.reserve([.provider(place)], at: now.monotonic) == nil else {
            return Decision(.refused(refusal))
        }
        return Self.refused(refusal, initiator, object, detail, at: now)
    }
}
