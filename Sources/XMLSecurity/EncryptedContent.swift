internal import CXMLSec

/// Something encrypted by XML Encryption, under a key that is wrapped by RSA-OAEP.
package struct EncryptedContent: Sendable {
    package struct Cipher: Equatable, Sendable {
        package enum Digest: Int32, CaseIterable, Sendable {
            case sha1, sha256, sha384, sha512
        }
        /// 128, 192 or 256.
        package var keyBits: Int
        /// AES-GCM, which notices changes; otherwise AES-CBC, which does not.
        package var isAuthenticated: Bool
        package var digest: Digest
        package var maskDigest: Digest

        package init(
            keyBits: Int = 256, isAuthenticated: Bool = true, digest: Digest = .sha256,
            maskDigest: Digest = .sha256
        ) {
            self.keyBits = keyBits
            self.isAuthenticated = isAuthenticated
            self.digest = digest
            self.maskDigest = maskDigest
        }

        fileprivate var c: cxmlsec_cipher {
            cxmlsec_cipher(
                key_bits: Int32(keyBits), is_gcm: isAuthenticated ? 1 : 0, digest: digest.rawValue,
                mask_digest: maskDigest.rawValue)
        }
    }

    package var cipher: Cipher
    package var wrappedKey: [UInt8]
    package var sealed: [UInt8]

    /// Reads an element that holds one EncryptedData, with one EncryptedKey in its KeyInfo or beside it.
    ///
    /// - Parameter base64: decodes text without white space; nil for what is no base64.
    package init(
        in element: XMLElement, base64: (String) -> [UInt8]?
    ) throws(XMLFault) {
        let space = Namespace.encryption
        guard let data = element.onlyChild("EncryptedData", in: space),
            data.attribute("Type").map({ $0 == space + "Element" }) ?? true
        else { throw .malformed }
        let within = data.onlyChild("KeyInfo", in: Namespace.signature)
        let keys =
            (within?.children("EncryptedKey", in: space) ?? [])
            + element.children("EncryptedKey", in: space)
        guard keys.count == 1, let method = data.onlyChild("EncryptionMethod", in: space),
            let keyMethod = keys[0].onlyChild("EncryptionMethod", in: space),
            let sealed = Self.value(of: data, base64), let wrapped = Self.value(of: keys[0], base64)
        else { throw .malformed }
        cipher = try Self.cipher(method, keyMethod)
        self.sealed = sealed
        wrappedKey = wrapped
    }

    private static func value(
        of element: XMLElement, _ base64: (String) -> [UInt8]?
    ) -> [UInt8]? {
        let space = Namespace.encryption
        guard
            let value = element.onlyChild("CipherData", in: space)?.onlyChild(
                "CipherValue", in: space), value.children.isEmpty
        else { return nil }
        return base64(String(value.text.filter { !$0.isWhitespace }))
    }

    private static func cipher(
        _ method: XMLElement, _ keyMethod: XMLElement
    ) throws(XMLFault) -> Cipher {
        var cipher: Cipher
        switch method.attribute("Algorithm") ?? "" {
        case Namespace.encryption + "aes128-cbc":
            cipher = Cipher(keyBits: 128, isAuthenticated: false)
        case Namespace.encryption + "aes192-cbc":
            cipher = Cipher(keyBits: 192, isAuthenticated: false)
        case Namespace.encryption + "aes256-cbc":
            cipher = Cipher(keyBits: 256, isAuthenticated: false)
        case Namespace.encryption11 + "aes128-gcm": cipher = Cipher(keyBits: 128)
        case Namespace.encryption11 + "aes192-gcm": cipher = Cipher(keyBits: 192)
        case Namespace.encryption11 + "aes256-gcm": cipher = Cipher(keyBits: 256)
        case let other: throw .forbiddenAlgorithm(SignatureShape.shown(other))
        }
        let mayChooseMask: Bool
        switch keyMethod.attribute("Algorithm") ?? "" {
        case Namespace.encryption + "rsa-oaep-mgf1p": mayChooseMask = false
        case Namespace.encryption11 + "rsa-oaep": mayChooseMask = true
        case let other: throw .forbiddenAlgorithm(SignatureShape.shown(other))
        }
        cipher.digest = .sha1
        cipher.maskDigest = .sha1
        for parameter in keyMethod.children {
            let name = parameter.attribute("Algorithm") ?? ""
            if parameter.is("DigestMethod", in: Namespace.signature) {
                cipher.digest = try digest(name, digests)
            } else if mayChooseMask, parameter.is("MGF", in: Namespace.encryption11) {
                cipher.maskDigest = try digest(name, masks)
            } else {
                throw .forbiddenAlgorithm(SignatureShape.shown(parameter.name))
            }
        }
        return cipher
    }

    private static func digest(
        _ name: String, _ known: [String: Cipher.Digest]
    ) throws(XMLFault) -> Cipher.Digest {
        guard let digest = known[name] else {
            throw .forbiddenAlgorithm(SignatureShape.shown(name))
        }
        return digest
    }

    private static let digests: [String: Cipher.Digest] = [
        Namespace.signature + "sha1": .sha1, Namespace.encryption + "sha256": .sha256,
        "http://www.w3.org/2001/04/xmldsig-more#sha384": .sha384,
        Namespace.encryption + "sha512": .sha512,
    ]
    private static let masks: [String: Cipher.Digest] = [
        Namespace.encryption11 + "mgf1sha1": .sha1, Namespace.encryption11 + "mgf1sha256": .sha256,
        Namespace.encryption11 + "mgf1sha384": .sha384,
        Namespace.encryption11 + "mgf1sha512": .sha512,
    ]

    /// What was encrypted; one fault for all that can be wrong with it.
    package func open(with identity: SigningIdentity) throws(XMLFault) -> [UInt8] {
        var cipher = cipher.c
        return try unsafe bytesOrFault { made in
            unsafe wrappedKey.span.bytes.pointer { wrapped in
                unsafe sealed.span.bytes.pointer { bytes in
                    unsafe cxmlsec_open(
                        identity.pointer, &cipher, wrapped, wrappedKey.count, bytes, sealed.count,
                        &made)
                }
            }
        }
    }

    /// Encrypts for the holder of a key.
    package init(
        sealing plain: RawSpan, for key: VerificationKey, _ cipher: Cipher
    ) throws(XMLFault) {
        var chosen = cipher.c
        (wrappedKey, sealed) = try unsafe twoBytesOrFault { wrapped, sealed in
            unsafe plain.pointer {
                unsafe cxmlsec_seal(
                    key.pointer, &chosen, $0, plain.byteCount, &wrapped, &sealed)
            }
        }
        self.cipher = cipher
    }
}
