package import CryptoPrimitives
package import NetTypes
package import WebAuthn

/// What the operator chose about signing in.
package struct SignInSettings: Sendable {
    /// Whether people may sign in with a name and password of this server.
    package var hasLocalAccounts = true
    /// Whether a password is enough for nobody.
    package var requiresSecondFactor = false
    /// A session ends when it was not used for so long.
    package var sessionIdle = Nanoseconds.minutes(12 * 60)
    /// A session ends after so long, however much it is used.
    package var sessionLifetime = Nanoseconds.minutes(7 * 24 * 60)
    package var sessionsPerUser = 20
    /// How long a sign-in may take from its first proof to its last.
    package var attemptLifetime = Nanoseconds.minutes(10)
    package var attemptCapacity = 1024
    package var passwordCost = PasswordHash.Cost.standard
    /// In characters.
    package var minimumPasswordLength = 12
    /// What authenticators show beside the user's name.
    package var issuer = "Skein"

    /// How authenticators know this server; nil where there are no passkeys.
    package var relyingParty: RelyingParty?
    package var passkeysPerUser = 20

    package init() {}
}
