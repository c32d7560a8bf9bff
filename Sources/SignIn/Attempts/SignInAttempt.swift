package import ControlMessages
package import Coordination
package import NetTypes

/// A sign-in of somebody whose first proof was good.
package struct SignInAttempt: Sendable {
    package enum Phase: Equatable, Sendable {
        /// A one-time or recovery code is asked for.
        case secondFactor
        /// The user has no second factor yet and needs one; the secret is not stored before a code
        /// proves that it arrived.
        case setUpOneTimeCodes(secret: [UInt8])
        /// The password was made by an administrator.
        case choosePassword
        /// Everything is proved, and the user reads their new recovery codes.
        case done
    }

    package var user: UserID
    package var provider: String
    package var purpose: SignInPurpose
    package var phase: Phase
    /// What was shown so far.
    package var factors: [String]
    /// The session that the new one takes the place of.
    var replaces: SessionID?
    /// Whether a second factor of this server is wanted in any case.
    var needsSecondFactor: Bool
}

/// Why nobody was signed in; the text is for whoever tried.
package enum SignInRefusal: Error, Equatable, Sendable {
    /// One text for all that could tell whether there is such a user.
    case wrongNameOrPassword
    case wrongCode
    /// One text for all reasons; the audit log has them.
    case wrongPasskey
    /// Too much was tried; so long it takes.
    case wait(Nanoseconds)
    case suspended
    /// The provider knows them, this server does not and may not make users.
    case unknownPerson
    /// The provider knows them, but the configuration does not let them in.
    case notAdmitted
    /// The attempt is too old, was finished, or began in another browser.
    case attemptGone
    case busy

    package var text: String {
        switch self {
        case .wrongNameOrPassword: "That name and password do not go together."
        case .wrongCode: "That code is not right, or it was used before. Wait for the next one."
        case .wrongPasskey: "That passkey was not accepted."
        case .wait(let time):
            "That was tried too often. Please try again in \(Self.shown(time))."
        case .suspended: "This user is suspended. An administrator can undo that."
        case .unknownPerson:
            "This server has no user for you. Ask an administrator to add you."
        case .notAdmitted:
            "Your account there is right, but it is not among those that may use this network. Ask an administrator."
        case .attemptGone: "That took too long, or it was finished before. Please begin again."
        case .busy: "The server has its hands full. Please try again in a minute."
        }
    }

    private static func shown(_ time: Nanoseconds) -> String {
        let seconds = max(1, (time.count + 999_999_999) / 1_000_000_000)
        if seconds == 1 { return "1 second" }
        if seconds < 90 { return "\(seconds) seconds" }
        return "\((seconds + 59) / 60) minutes"
    }
}

/// Where a sign-in stands after a step.
package enum SignInStep: Equatable, Sendable {
    case refused(SignInRefusal)
    case secondFactor(AttemptID)
    case setUpOneTimeCodes(AttemptID)
    case choosePassword(AttemptID)
    /// The codes are shown this once; then the attempt goes on.
    case recoveryCodes(AttemptID, [String])
    case signedIn(SignedIn)
}

/// The end of a sign-in: a session has begun.
package struct SignedIn: Equatable, Sendable {
    /// The cookie. It is nowhere else.
    package var token: String
    package var session: SessionID
    package var user: UserID
    package var begun: Timestamp
    package var expiry: Timestamp
    package var purpose: SignInPurpose
}
