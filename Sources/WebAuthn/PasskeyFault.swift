/// Why the answer of an authenticator does not count. None of it is told to whoever sent the answer.
package enum PasskeyFault: Error, Equatable, Sendable {
    /// The browser's or the authenticator's data cannot be read; the text says what.
    case malformed(String)
    /// Made for the other ceremony.
    case wrongType
    case wrongChallenge
    /// Made for a page of this origin.
    case wrongOrigin(String)
    /// Made in a frame of another site.
    case crossOrigin
    /// Made for another server's name.
    case wrongRelyingParty
    case userNotPresent
    case userNotVerified
    /// Backed up though it cannot be, or not of the kind that it was when it was made.
    case wrongBackupState
    /// No key of a kind that was asked for.
    case unsupportedKey
    case wrongSignature
    /// The counter did not go up: there may be a copy of the authenticator.
    case counterWentBack

    /// For the audit log.
    package var text: String {
        switch self {
        case .malformed(let what): "unreadable \(what)"
        case .wrongType: "made for another purpose"
        case .wrongChallenge: "made for another challenge"
        case .wrongOrigin: "made for another origin"
        case .crossOrigin: "made in another site's frame"
        case .wrongRelyingParty: "made for another server"
        case .userNotPresent: "nobody touched the authenticator"
        case .userNotVerified: "the authenticator did not verify its user"
        case .wrongBackupState: "wrong backup state"
        case .unsupportedKey: "a kind of key that was not asked for"
        case .wrongSignature: "wrong signature"
        case .counterWentBack: "the counter went back: the authenticator may have been copied"
        }
    }
}
