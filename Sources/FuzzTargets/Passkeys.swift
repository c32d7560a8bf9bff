import CBOR
import NetTypes
import WebAuthn

private let party = RelyingParty(serverURL: "https://example.org", name: "Fuzz")

/// What browsers and authenticators send.
let passkeyFuzzTargets: [FuzzTarget] = [
    FuzzTarget(name: "cbor") { bytes in _ = try? CBOR(parsing: bytes.array) },
    FuzzTarget(name: "client-data") { bytes in
        guard let data = try? ClientData(parsing: bytes.array) else { return }
        precondition(
            Base64URL.decode(Base64URL.encode(data.challenge)) == data.challenge,
            "what was read can be written")
    },
    FuzzTarget(name: "authenticator-data") { bytes in
        guard let data = try? AuthenticatorData(parsing: bytes.array) else { return }
        guard let credential = data.credential else { return }
        precondition((1...1023).contains(credential.id.count), "IDs are bounded")
        let key = try? CredentialKey(parsing: credential.publicKey)
        precondition(key == credential.key, "the key that is kept is the one that was read")
    },
    FuzzTarget(name: "attestation") { bytes in
        // Client data that is good, so that the rest is read.
        let clientData = Array(
            #"{"type":"webauthn.create","challenge":"AQID","origin":"https://example.org"}"#.utf8)
        let response = RegistrationResponse(clientData: clientData, attestation: bytes.array)
        let made = try? party?.register(response, challenge: [1, 2, 3])
        precondition(made.map { !$0.id.isEmpty } ?? true, "a credential has an ID")
    },
]
