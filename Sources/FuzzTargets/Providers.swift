import NetTypes
import OpenIDConnect
import SignIn
import WebForms

private let settings = OpenIDSettings(
    issuer: "https://id.example.org", client: OAuthClient(id: "skein", scopes: ["openid"]))

let providerFuzzTargets: [FuzzTarget] = [
    // What was read of a form is written, and read again as the same.
    FuzzTarget(name: "form") { bytes in
        let text = String(decoding: bytes.array, as: UTF8.self)
        let fields = FormFields(urlEncoded: text)
        for name in ["form", "code", "state", "SAMLResponse"] {
            let again = FormFields(urlEncoded: FormFields.encode([(name, fields[name])]))
            precondition(again[name] == fields[name], "a field changes when it is written and read")
        }
    },
    FuzzTarget(name: "cookies") { bytes in
        let headers = String(decoding: bytes.array, as: UTF8.self).split(separator: "\n")
            .map { String($0) }
        let value = CookieHeader.value("__Host-skein-session", in: headers)
        precondition(value?.contains(";") != true, "a cookie ends at a semicolon")
        _ = value.map { SecretToken.hash($0) }
    },
    FuzzTarget(name: "discovery-document") { bytes in
        guard let metadata = try? ProviderMetadata(bytes.array, for: settings) else { return }
        precondition(metadata.issuer == settings.issuer, "it speaks for its own issuer")
        precondition(metadata.tokenEndpoint.isSecure, "secrets go by TLS only")
    },
    FuzzTarget(name: "provider-keys") { bytes in
        guard let keys = try? KeySet(bytes.array, algorithms: settings.algorithms) else { return }
        precondition(keys.keys.count <= KeySet.limit, "keys are bounded")
        precondition(
            keys.keys.allSatisfy { key in settings.algorithms.contains { key.fits($0) } },
            "each key is of use")
    },
    FuzzTarget(name: "id-token") { bytes in
        let text = String(decoding: bytes.array, as: UTF8.self)
        guard let token = try? IDToken(text, algorithms: settings.algorithms) else { return }
        let now = Timestamp(unixSeconds: 1_800_000_000)
        let check = TokenCheck(
            issuer: settings.issuer, clientID: "skein", nonce: "n", begun: now)
        _ = try? check.check(token, at: now)
    },
    FuzzTarget(name: "user-information") { bytes in
        guard let document = try? ProviderDocument(bytes.array),
            let person = Person(document, .standard)
        else { return }
        precondition((1...255).contains(person.subject.utf8.count), "subjects are bounded")
        precondition(person.groups.map { $0.count <= 256 } ?? true, "groups are bounded")
    },
]
