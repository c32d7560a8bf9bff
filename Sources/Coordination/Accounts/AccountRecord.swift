package import ControlMessages
package import NetTypes

/// How a user of this server proves who they are. Nothing in it is of use without the key that is
/// kept beside the database (`AccountSecrets`).
package struct AccountRecord: Equatable, Sendable {
    package var user: UserID
    /// The Argon2id hash of the password, sealed; empty when there is none.
    package var password = ""
    /// Whether the password was made by an administrator and has to be changed at the next sign-in.
    package var isPasswordTemporary = false
    package var passwordChanged = Timestamp.zero
    /// Nil: no second factor yet.
    package var oneTimeCodes: OneTimeCodes?
    /// Keyed hashes of the recovery codes that were not used yet.
    package var recoveryCodes: [Bytes32] = []
    package var passkeys: [Passkey] = []
    /// What authenticators keep with their passkeys to name this user; it says nothing about them. Empty
    /// before the first.
    package var passkeyHandle: [UInt8] = []
    /// Browsers that this user has signed in with, the last one used last.
    package var knownBrowsers: [KnownBrowser] = []

    /// One-time codes made from the time (RFC 6238).
    package struct OneTimeCodes: Equatable, Sendable {
        /// The secret of the authenticator, sealed.
        package var secret: String
        /// The time step of the last code that was accepted: it and those before are spent.
        package var lastStep: Int64

        package init(secret: String, lastStep: Int64) {
            self.secret = secret
            self.lastStep = lastStep
        }
    }

    /// A browser that holds a cookie for this user. It proves nothing, but is not held up by what
    /// strangers try.
    package struct KnownBrowser: Equatable, Sendable {
        /// SHA-256 of the cookie.
        package var hash: Bytes32
        package var lastUsed: Timestamp

        package init(hash: Bytes32, lastUsed: Timestamp) {
            self.hash = hash
            self.lastUsed = lastUsed
        }
    }

    package init(user: UserID) { self.user = user }

    package var hasPassword: Bool { !password.isEmpty }
    /// Whether there is something to show besides a password.
    package var hasSecondFactor: Bool { oneTimeCodes != nil || !passkeys.isEmpty }
}

/// Names a session: SHA-256 of the cookie, which only the browser has.
package struct SessionID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package var hash: Bytes32
    package init(_ hash: Bytes32) { self.hash = hash }

    /// The first sixteen digits, or all of them.
    package var description: String { String(text.prefix(16)) }
    package var text: String { Hexadecimal.encode(hash.array) }
    package static func < (left: Self, right: Self) -> Bool {
        left.hash.array.lexicographicallyPrecedes(right.hash.array)
    }
}

/// A browser in which a user is signed in.
package struct SessionRecord: Equatable, Sendable {
    package var id: SessionID
    package var user: UserID
    package var created: Timestamp
    /// When it was last used, give or take some minutes.
    package var lastUsed: Timestamp
    /// When it ends, however much it is used.
    package var expiry: Timestamp
    /// Where it began.
    package var address: String
    /// What the browser calls itself, shortened.
    package var browser: String
    /// Who said who the user is.
    package var provider: String
    /// What was shown for it, such as `password`, `one-time code`.
    package var factors: [String]

    package init(
        id: SessionID, user: UserID, created: Timestamp, expiry: Timestamp, address: String,
        browser: String, provider: String, factors: [String]
    ) {
        self.id = id
        self.user = user
        self.created = created
        lastUsed = created
        self.expiry = expiry
        self.address = address
        self.browser = browser
        self.provider = provider
        self.factors = factors
    }
}
