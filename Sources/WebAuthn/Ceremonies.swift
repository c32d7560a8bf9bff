import CBOR
import CryptoPrimitives
import NetTypes

/// What a browser sends after an authenticator made a credential.
package struct RegistrationResponse: Equatable, Sendable {
    package var clientData: [UInt8]
    package var attestation: [UInt8]

    package init(clientData: [UInt8], attestation: [UInt8]) {
        self.clientData = clientData
        self.attestation = attestation
    }
}

/// A credential that was made, to be kept.
package struct NewCredential: Equatable, Sendable {
    package var id: [UInt8]
    /// A COSE_Key.
    package var publicKey: [UInt8]
    package var counter: UInt32
    package var isUserVerified: Bool
    package var isBackupEligible: Bool
    package var isBackedUp: Bool
}

/// What a browser sends after an authenticator signed.
package struct AssertionResponse: Equatable, Sendable {
    package var credential: [UInt8]
    package var clientData: [UInt8]
    package var authenticatorData: [UInt8]
    package var signature: [UInt8]
    /// Whom the authenticator made the credential for; empty when it does not say.
    package var userHandle: [UInt8]

    package init(
        credential: [UInt8], clientData: [UInt8], authenticatorData: [UInt8], signature: [UInt8],
        userHandle: [UInt8] = []
    ) {
        self.credential = credential
        self.clientData = clientData
        self.authenticatorData = authenticatorData
        self.signature = signature
        self.userHandle = userHandle
    }
}

/// What an authenticator's signature is held against.
package struct KnownCredential: Equatable, Sendable {
    /// A COSE_Key.
    package var publicKey: [UInt8]
    package var counter: UInt32
    package var isBackupEligible: Bool

    package init(publicKey: [UInt8], counter: UInt32, isBackupEligible: Bool) {
        self.publicKey = publicKey
        self.counter = counter
        self.isBackupEligible = isBackupEligible
    }
}

/// What a good signature said.
package struct Assertion: Equatable, Sendable {
    package var counter: UInt32
    package var isUserVerified: Bool
    package var isBackedUp: Bool
}

extension RelyingParty {
    /// A new credential (WebAuthn level 3, §7.1). What the authenticator says about its maker is not
    /// asked for, and not looked at where it says so all the same.
    package func register(
        _ response: RegistrationResponse, challenge: [UInt8], requiresUserVerification: Bool = false
    ) throws(PasskeyFault) -> NewCredential {
        try ClientData(parsing: response.clientData).check(
            .create, challenge: challenge, for: self)
        guard response.attestation.count <= 65_536,
            // Which byte is wrong does not matter: all of it is made by a program.
            let attestation = try? CBOR(parsing: response.attestation),
            let format = attestation["fmt"]?.text,
            let statement = attestation["attStmt"]?.entries,
            let bytes = attestation["authData"]?.bytes,
            format != "none" || statement.isEmpty
        else { throw .malformed("attestation") }
        let data = try AuthenticatorData(parsing: bytes)
        try check(data, requiresUserVerification)
        guard let credential = data.credential else { throw .malformed("authenticator data") }
        return NewCredential(
            id: credential.id, publicKey: credential.publicKey, counter: data.counter,
            isUserVerified: data.flags.contains(.userVerified),
            isBackupEligible: data.flags.contains(.backupEligible),
            isBackedUp: data.flags.contains(.backedUp))
    }

    /// A signature with a known credential (WebAuthn level 3, §7.2). That the credential belongs to whom
    /// it should is the caller's to check.
    package func authenticate(
        _ response: AssertionResponse, challenge: [UInt8], with known: KnownCredential,
        requiresUserVerification: Bool
    ) throws(PasskeyFault) -> Assertion {
        try ClientData(parsing: response.clientData).check(.get, challenge: challenge, for: self)
        let data = try AuthenticatorData(parsing: response.authenticatorData)
        try check(data, requiresUserVerification)
        guard data.credential == nil else { throw .malformed("authenticator data") }
        guard data.flags.contains(.backupEligible) == known.isBackupEligible else {
            throw .wrongBackupState
        }
        let hash = unsafe SHA256.hash(response.clientData.span.bytes)
        let signed = response.authenticatorData + hash.array
        let key = try CredentialKey(parsing: known.publicKey).key
        guard unsafe key.verifies(response.signature.span.bytes, of: signed.span.bytes) else {
            throw .wrongSignature
        }
        // Authenticators that do not count always say zero.
        if data.counter != 0 || known.counter != 0, data.counter <= known.counter {
            throw .counterWentBack
        }
        return Assertion(
            counter: data.counter, isUserVerified: data.flags.contains(.userVerified),
            isBackedUp: data.flags.contains(.backedUp))
    }

    private func check(
        _ data: AuthenticatorData, _ requiresUserVerification: Bool
    ) throws(PasskeyFault) {
        let name = Array(id.utf8)
        let hash = unsafe SHA256.hash(name.span.bytes)
        guard data.partyHash == hash else { throw .wrongRelyingParty }
        guard data.flags.contains(.userPresent) else { throw .userNotPresent }
        guard !requiresUserVerification || data.flags.contains(.userVerified) else {
            throw .userNotVerified
        }
        guard data.flags.contains(.backupEligible) || !data.flags.contains(.backedUp) else {
            throw .wrongBackupState
        }
    }
}
