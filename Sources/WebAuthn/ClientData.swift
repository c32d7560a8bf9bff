import ControlMessages

/// What the browser says about a ceremony (WebAuthn level 3, §5.8.1), and what the authenticator signs
/// a hash of.
package struct ClientData: Equatable, Sendable {
    package enum Ceremony: String, Sendable {
        case create = "webauthn.create"
        case get = "webauthn.get"
    }

    package var type: String
    package var challenge: [UInt8]
    package var origin: String
    /// Whether the page was in a frame of another site.
    package var isCrossOrigin: Bool

    /// More than any browser writes.
    private static var limits: JSON.Limits { JSON.Limits(byteCount: 4096, depth: 4) }

    package init(parsing bytes: [UInt8]) throws(PasskeyFault) {
        // What is not UTF-8 would become something else when read.
        guard String(validating: bytes, as: UTF8.self) != nil,
            let json = try? JSON(parsing: bytes, limits: Self.limits),
            case .object(let object) = json
        else { throw .malformed("client data") }
        guard case .string(let type)? = try Self.member("type", of: object),
            case .string(let challenge)? = try Self.member("challenge", of: object),
            case .string(let origin)? = try Self.member("origin", of: object),
            let bytes = Base64URL.decode(challenge)
        else { throw .malformed("client data") }
        self.type = type
        self.challenge = bytes
        self.origin = origin
        switch try Self.member("crossOrigin", of: object) {
        case nil, .bool(false)?: isCrossOrigin = false
        case .bool(true)?: isCrossOrigin = true
        default: throw .malformed("client data")
        }
        // Only browsers that were framed by another site name that site.
        if try Self.member("topOrigin", of: object) != nil { isCrossOrigin = true }
    }

    /// Spelt exactly so, and once.
    private static func member(
        _ name: String, of object: JSONObject
    ) throws(PasskeyFault) -> JSON? {
        let matches = object.members.filter { $0.name == name }
        guard matches.count <= 1 else { throw .malformed("client data") }
        return matches.first?.value
    }

    /// Checks all that a ceremony wants of it.
    func check(
        _ ceremony: Ceremony, challenge expected: [UInt8], for party: RelyingParty
    ) throws(PasskeyFault) {
        guard type == ceremony.rawValue else { throw .wrongType }
        guard challenge == expected else { throw .wrongChallenge }
        guard origin == party.origin else { throw .wrongOrigin(origin) }
        guard !isCrossOrigin else { throw .crossOrigin }
    }
}

/// RFC 4648 §5, without padding.
package enum Base64URL {
    package static func encode(_ bytes: [UInt8]) -> String {
        String(
            Base64Bytes(bytes).text.compactMap { character -> Character? in
                switch character {
                case "+": "-"
                case "/": "_"
                case "=": nil
                default: character
                }
            })
    }

    /// Nil for anything that `encode` does not write.
    package static func decode(_ text: String) -> [UInt8]? {
        guard text.utf8.count % 4 != 1, !text.contains(where: { "+/=".contains($0) }) else {
            return nil
        }
        let plain = text.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 }
        let padding = String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        // Whatever is wrong with it: it is none.
        guard let bytes = try? Base64Bytes(json: .string(String(plain) + padding)).bytes,
            encode(bytes) == text
        else { return nil }
        return bytes
    }
}
