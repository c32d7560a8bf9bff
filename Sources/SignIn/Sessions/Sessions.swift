import ControlMessages
package import Coordination
internal import CryptoPrimitives
import NetTypes

/// Who is behind a request: a session that is alive, and its user.
package struct LiveSession: Equatable, Sendable {
    package var record: SessionRecord
    package var user: UserRecord
}

extension SignInDesk {
    private static var knownBrowserCount: Int { 10 }
    private static var freshness: Nanoseconds { .minutes(10) }
    /// How much later than `lastUsed` a use is stored.
    private static var useGranularity: Nanoseconds { .minutes(5) }

    mutating func beginSession(
        _ attempt: SignInAttempt, of user: UserRecord, _ account: AccountRecord?,
        _ visitor: Visitor, in state: CoordinationState, at now: Moment,
        _ random: inout some RandomNumberGenerator
    ) -> Decision<SignInStep> {
        let token = SecretToken.make(random: &random)
        guard let hash = SecretToken.hash(token) else { preconditionFailure("it is a token") }
        let session = SessionRecord(
            id: SessionID(hash), user: user.id, created: now.wall,
            expiry: now.wall + settings.sessionLifetime,
            address: visitor.address.map { $0.description } ?? "",
            browser: Self.shortened(visitor.agent), provider: attempt.provider,
            factors: attempt.factors)
        var changes: [Change] = [.session(session)]
        if let old = attempt.replaces { changes.append(.sessionRemoved(old)) }
        let live = state.sessions(of: user.id)
        if live.count >= settings.sessionsPerUser {
            let surplus = live.count - settings.sessionsPerUser + 1
            changes += live.prefix(surplus).map { .sessionRemoved($0.id) }
        }
        if var account {
            account.knownBrowsers.removeAll { $0.hash == visitor.browser.hash }
            account.knownBrowsers.append(
                .init(hash: visitor.browser.hash, lastUsed: now.wall))
            account.knownBrowsers = account.knownBrowsers.suffix(Self.knownBrowserCount)
            changes.append(.account(account))
        }
        let how = ([attempt.provider] + attempt.factors).joined(separator: ", ")
        changes.append(
            .audit(
                AuditEntry(
                    time: now.wall, by: initiator(user, visitor), .signIn, "user \(user.name)",
                    detail: how)))
        let reply = SignedIn(
            token: token, session: session.id, user: user.id, begun: now.wall,
            expiry: session.expiry,
            purpose: attempt.purpose)
        return Decision(.signedIn(reply), changes: changes)
    }

    /// Printable and of one line: it is shown in lists.
    private static func shortened(_ agent: String) -> String {
        String(
            String.UnicodeScalarView(
                agent.unicodeScalars.filter { (0x20...0x7E).contains($0.value) }.prefix(200)))
    }

    func isLive(_ session: SessionRecord, at now: Timestamp) -> Bool {
        now < session.expiry && now - session.lastUsed < settings.sessionIdle
    }

    /// Whose session a cookie stands for; nil when for none that is alive.
    package func session(
        _ token: String, in state: CoordinationState, at now: Moment
    ) -> LiveSession? {
        guard let hash = SecretToken.hash(token), let record = state.sessions[SessionID(hash)],
            isLive(record, at: now.wall), let user = state.users[record.user], !user.isSuspended
        else { return nil }
        return LiveSession(record: record, user: user)
    }

    /// Whether somebody showed who they are so lately that they need not do so again.
    package func isFresh(_ session: LiveSession, at now: Moment) -> Bool {
        now.wall - session.record.created < Self.freshness
    }

    /// Notes that a session was used, now and then.
    package func use(_ session: SessionRecord, at now: Moment) -> Decision<Void> {
        guard now.wall - session.lastUsed >= Self.useGranularity else { return Decision(()) }
        var session = session
        session.lastUsed = now.wall
        return Decision((), changes: [.session(session)])
    }

    /// Ends a session: one's own, or as somebody who manages users.
    package func endSession(
        _ id: SessionID, by initiator: Initiator, in state: CoordinationState, at now: Moment
    ) -> Decision<Void> {
        guard let session = state.sessions[id] else { return Decision(()) }
        let owner = state.users[session.user]?.name ?? "\(session.user)"
        let isOwn = initiator.kind == .user && initiator.name == owner
        let entry = AuditEntry(
            time: now.wall, by: initiator, isOwn ? .signOut : .sessionEnded, "user \(owner)",
            detail: "session \(id)")
        return Decision((), changes: [.sessionRemoved(id), .audit(entry)])
    }

    /// Ends all sessions of a user.
    package func endSessions(
        of user: UserRecord, by initiator: Initiator, in state: CoordinationState, at now: Moment
    ) -> Decision<Void> {
        let endings = accounts.endings(of: user.id, in: state)
        guard !endings.isEmpty else { return Decision(()) }
        let entry = AuditEntry(
            time: now.wall, by: initiator, .sessionEnded, "user \(user.name)",
            detail: "\(endings.count) sessions")
        return Decision((), changes: endings + [.audit(entry)])
    }
}
