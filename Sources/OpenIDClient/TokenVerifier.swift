import JWTKit
import OpenIDConnect

/// Checks signatures of tokens by public keys.
enum TokenVerifier {
    /// The claims are read and checked elsewhere, over the same bytes.
    private struct Nothing: JWTPayload {
        func verify(using algorithm: some JWTAlgorithm) {}
    }

    /// Whether one of the keys has signed the token by the algorithm that its header names and the
    /// configuration allows. Each key is tried for that algorithm alone.
    static func isSigned(_ token: IDToken, byOneOf keys: [SigningKey]) async -> Bool {
        for key in keys where key.fits(token.algorithm) {
            do {
                guard let collection = try await collection(of: key, for: token.algorithm) else {
                    continue
                }
                _ = try await collection.verify(token.text, as: Nothing.self)
                return true
            } catch {
                // A wrong signature, or a key that is none: neither proves anything.
                continue
            }
        }
        return false
    }

    /// A collection of this key alone, so that nothing of the token chooses another.
    private static func collection(
        of key: SigningKey, for algorithm: SignatureAlgorithm
    ) async throws -> JWTKeyCollection? {
        let keys = JWTKeyCollection()
        switch key.material {
        case .rsa(let modulus, let exponent):
            let key = try Insecure.RSA.PublicKey(modulus: modulus, exponent: exponent)
            switch algorithm {
            case .rs256: return await keys.add(rsa: key, digestAlgorithm: .sha256)
            case .rs384: return await keys.add(rsa: key, digestAlgorithm: .sha384)
            case .rs512: return await keys.add(rsa: key, digestAlgorithm: .sha512)
            case .ps256: return await keys.add(pss: key, digestAlgorithm: .sha256)
            case .ps384: return await keys.add(pss: key, digestAlgorithm: .sha384)
            case .ps512: return await keys.add(pss: key, digestAlgorithm: .sha512)
            case .es256, .es384, .es512, .edDSA: return nil
            }
        case .ec(.p256, let x, let y):
            return await keys.add(ecdsa: try ES256PublicKey(parameters: (x, y)))
        case .ec(.p384, let x, let y):
            return await keys.add(ecdsa: try ES384PublicKey(parameters: (x, y)))
        case .ec(.p521, let x, let y):
            return await keys.add(ecdsa: try ES512PublicKey(parameters: (x, y)))
        case .ed25519(let x):
            return await keys.add(eddsa: try EdDSA.PublicKey(x: x, curve: .ed25519))
        }
    }
}
