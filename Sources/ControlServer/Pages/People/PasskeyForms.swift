import Coordination
import NetTypes
import SignIn
import WebAuthn
import WebForms

/// Forms that the script fills in with what an authenticator says, and their reading.
enum PasskeyForms {
    /// Asks for a signature.
    static func use(
        _ question: PasskeyQuestion, action: String, hidden: HTML, button: String
    ) -> HTML {
        """
        <form method="post" action="\(action)" data-passkey="get" hidden data-challenge="\(digits(question.challenge))" data-party="\(question.party.id)" data-credentials="\(list(question.allowed))" data-verification="\(question.requiresUserVerification ? "required" : "preferred")">\(hidden)
        \(empty(["credential", "client", "authenticator", "signature", "handle"]))
        <p class="error" role="alert" hidden></p>
        <p><button>\(button)</button></p>
        </form>
        """
    }

    /// Asks for a new passkey and its name.
    static func make(
        _ offer: PasskeyOffer, action: String, hidden: HTML
    ) -> HTML {
        let algorithms = CredentialKey.algorithms.map { "\($0)" }.joined(separator: " ")
        return """
            <p data-without>This browser has no passkeys, or does not run this page's script.</p>
            <form method="post" action="\(action)" data-passkey="create" hidden data-challenge="\(digits(offer.challenge))" data-party="\(offer.party.id)" data-party-name="\(offer.party.name)" data-handle="\(digits(offer.handle))" data-user="\(offer.userName)" data-shown="\(offer.shownName)" data-credentials="\(list(offer.existing))" data-algorithms="\(algorithms)">\(hidden)
            \(empty(["client", "attestation", "transports"]))
            <label for="passkey-name">Name of the passkey</label>
            <input id="passkey-name" name="name" maxlength="64" autocomplete="off" aria-describedby="passkey-hint">
            <p id="passkey-hint" class="quiet">To tell it from others: “phone”, “blue key”.</p>
            <p class="error" role="alert" hidden></p>
            <p><button>Make a passkey</button></p>
            </form>
            """
    }

    private static func digits(_ bytes: [UInt8]) -> String { Hexadecimal.encode(bytes) }

    /// IDs with the ways to reach them.
    private static func list(_ passkeys: [Passkey]) -> String {
        passkeys.map { ([digits($0.id)] + $0.transports).joined(separator: ",") }
            .joined(separator: " ")
    }

    private static func empty(_ names: [String]) -> [HTML] {
        names.map { "<input type=\"hidden\" name=\"\($0)\">" }
    }

    // MARK: Reading

    /// Nil when something is missing.
    static func assertion(_ fields: FormFields) -> AssertionResponse? {
        guard let credential = bytes(fields["credential"]), let client = bytes(fields["client"]),
            let authenticator = bytes(fields["authenticator"]),
            let signature = bytes(fields["signature"])
        else { return nil }
        return AssertionResponse(
            credential: credential, clientData: client, authenticatorData: authenticator,
            signature: signature, userHandle: Hexadecimal.decode(fields["handle"]) ?? [])
    }

    static func addition(_ fields: FormFields) -> PasskeyAddition? {
        guard let client = bytes(fields["client"]), let attestation = bytes(fields["attestation"])
        else { return nil }
        return PasskeyAddition(
            response: RegistrationResponse(clientData: client, attestation: attestation),
            name: fields["name"],
            transports: fields["transports"].split(separator: " ").prefix(8).map { String($0) })
    }

    private static func bytes(_ text: String) -> [UInt8]? {
        guard let bytes = Hexadecimal.decode(text), !bytes.isEmpty else { return nil }
        return bytes
    }
}
