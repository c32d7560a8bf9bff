internal import ControlMessages
internal import NetTypes

/// A public key of a provider (RFC 7517, RFC 7518 §6, RFC 8037 §2). Numbers are base64url, as they
/// came, and of a length that is right.
package struct SigningKey: Equatable, Sendable {
    package enum Material: Equatable, Sendable {
        /// 2048 to 8192 bits.
        case rsa(modulus: String, exponent: String)
        case ec(Curve, x: String, y: String)
        case ed25519(x: String)
    }
    package enum Curve: String, Sendable {
        case p256 = "P-256"
        case p384 = "P-384"
        case p521 = "P-521"

        var byteCount: Int {
            switch self {
            case .p256: 32
            case .p384: 48
            case .p521: 66
            }
        }
    }

    package var id: String?
    /// The one that it is for; nil: all that its kind allows.
    package var algorithm: String?
    package var material: Material

    /// Whether signatures of this algorithm are made with it.
    package func fits(_ wanted: SignatureAlgorithm) -> Bool {
        if let algorithm, algorithm != wanted.rawValue { return false }
        switch (material, wanted) {
        case (.rsa, .rs256), (.rsa, .rs384), (.rsa, .rs512), (.rsa, .ps256), (.rsa, .ps384),
            (.rsa, .ps512), (.ec(.p256, _, _), .es256), (.ec(.p384, _, _), .es384),
            (.ec(.p521, _, _), .es512), (.ed25519, .edDSA):
            return true
        default: return false
        }
    }

    /// Nil for a key of no use here: of another kind, secret, too short, or not for signatures.
    init?(_ object: JSONObject) {
        func text(_ name: String) -> String? {
            object.members.last { $0.name == name }?.value.string
        }
        func number(_ name: String, _ sizes: ClosedRange<Int>) -> String? {
            guard let text = text(name), let bytes = Base64.decodeURL(text),
                sizes.contains(bytes.count)
            else { return nil }
            return text
        }
        if let use = text("use"), use != "sig" { return nil }
        switch text("kty") {
        case "RSA":
            guard let modulus = number("n", 256...1024), let exponent = number("e", 1...8),
                let last = Base64.decodeURL(exponent)?.last, last & 1 == 1,
                Base64.decodeURL(modulus)?.first != 0
            else { return nil }
            material = .rsa(modulus: modulus, exponent: exponent)
        case "EC":
            guard let curve = text("crv").flatMap({ Curve(rawValue: $0) }),
                let x = number("x", curve.byteCount...curve.byteCount),
                let y = number("y", curve.byteCount...curve.byteCount)
            else { return nil }
            material = .ec(curve, x: x, y: y)
        case "OKP":
            guard text("crv") == "Ed25519", let x = number("x", 32...32) else { return nil }
            material = .ed25519(x: x)
        default: return nil
        }
        id = text("kid")
        algorithm = text("alg")
    }
}

/// The keys that a provider signs with now.
package struct KeySet: Equatable, Sendable {
    /// The most that are taken from a document.
    package static var limit: Int { 64 }
    /// The most that one signature is tried with.
    static var candidateLimit: Int { 4 }

    package var keys: [SigningKey]

    package init(_ bytes: [UInt8], algorithms: [SignatureAlgorithm]) throws(DocumentFault) {
        let document = try ProviderDocument(bytes)
        guard let elements = document["keys"]?.array else { throw .missing("keys") }
        guard elements.count <= Self.limit else { throw .tooMany("keys") }
        keys = elements.compactMap { $0.object.flatMap { SigningKey($0) } }
            .filter { key in algorithms.contains { key.fits($0) } }
        guard !keys.isEmpty else { throw .nothingUsable("key") }
    }

    /// The keys that may have signed a token; none when it names one that is not here.
    package func candidates(for token: IDToken) -> [SigningKey] {
        let fitting = keys.filter { key in
            key.fits(token.algorithm) && (token.keyID == nil || key.id == token.keyID)
        }
        return Array(fitting.prefix(Self.candidateLimit))
    }
}
