internal import ControlMessages
package import XMLSecurity

/// The one assertion of a response, read from the bytes that were signed.
///
/// A response is read once. What is refused before any signature is looked at: a document type, comments,
/// doubled IDs, more or fewer assertions than one, signatures anywhere but directly in the response or the
/// assertion. Each signature there is must be good; one of the response or of the assertion is enough, since
/// either covers the assertion whole. What is read afterwards is a new document, made of the canonical bytes
/// that the signature was computed over.
package struct SignedAssertion: Sendable {
    /// What the signature covers.
    package let assertion: XMLElement
    /// As it was signed, or, when only the assertion is, as it came: then it is a claim.
    package let response: XMLElement
    package let isResponseSigned: Bool

    package init(
        response bytes: RawSpan, from provider: IdentityProviderRecord,
        for identity: SigningIdentity
    ) throws(SAMLRefusal) {
        let document = try Self.read(bytes)
        guard document.root.is("Response", in: SAMLName.protocol) else { throw .notAResponse }
        let outer = document.root
        try Self.checkShape(of: outer)
        isResponseSigned = !outer.children("Signature", in: Namespace.signature).isEmpty
        let response =
            isResponseSigned ? try Self.signed(outer, of: document, by: provider).root : outer
        self.response = response
        if let encrypted = response.children("EncryptedAssertion", in: SAMLName.assertion).first {
            let plain = try Self.decrypted(encrypted, identity, isSigned: isResponseSigned)
            try Self.checkShape(of: plain.root)
            assertion = try Self.assertion(plain.root, of: plain, by: provider, isResponseSigned)
            return
        }
        // The signature of the assertion is about its place in the document as it came.
        guard let own = outer.children("Assertion", in: SAMLName.assertion).first,
            let covered = response.children("Assertion", in: SAMLName.assertion).first
        else { throw .assertionCount(0) }
        let isSigned = !own.children("Signature", in: Namespace.signature).isEmpty
        assertion =
            isSigned
            ? try Self.assertion(own, of: document, by: provider, isResponseSigned) : covered
        guard isSigned || isResponseSigned else { throw .unsigned }
    }

    /// An assertion as far as its own signature covers it, or as it stands in something that is signed.
    private static func assertion(
        _ element: XMLElement, of document: XMLDocument, by provider: IdentityProviderRecord,
        _ isCovered: Bool
    ) throws(SAMLRefusal) -> XMLElement {
        if element.children("Signature", in: Namespace.signature).isEmpty {
            guard isCovered else { throw .unsigned }
            return element
        }
        return try signed(element, of: document, by: provider).root
    }

    private static func read(_ bytes: RawSpan) throws(SAMLRefusal) -> XMLDocument {
        do throws(XMLFault) { return try XMLDocument(bytes) } catch { throw .document(error) }
    }

    private static func signed(
        _ element: XMLElement, of document: XMLDocument, by provider: IdentityProviderRecord
    ) throws(SAMLRefusal) -> XMLDocument {
        do throws(XMLFault) {
            return try document.verified(element, by: provider.keys)
        } catch {
            throw .document(error)
        }
    }

    private static func decrypted(
        _ element: XMLElement, _ identity: SigningIdentity, isSigned: Bool
    ) throws(SAMLRefusal) -> XMLDocument {
        let content: EncryptedContent
        do throws(XMLFault) {
            content = try EncryptedContent(in: element) { Base64Bytes.decode($0) }
        } catch {
            throw .document(error)
        }
        guard isSigned || content.cipher.isAuthenticated else { throw .unauthenticatedEncryption }
        let document: XMLDocument
        do throws(XMLFault) {
            let plain = try content.open(with: identity)
            document = try unsafe XMLDocument(plain.span.bytes)
        } catch {
            throw .document(error)
        }
        guard document.root.is("Assertion", in: SAMLName.assertion) else {
            throw .malformed("what is encrypted is no assertion")
        }
        return document
    }

    /// Refuses everything that could be taken for something else: `root` is a response or an assertion.
    private static func checkShape(of root: XMLElement) throws(SAMLRefusal) {
        let isResponse = root.is("Response", in: SAMLName.protocol)
        guard root.count("Response", in: SAMLName.protocol) == (isResponse ? 1 : 0) else {
            throw .malformed("a response within another")
        }
        let plain = root.children("Assertion", in: SAMLName.assertion)
        let encrypted = root.children("EncryptedAssertion", in: SAMLName.assertion)
        let all =
            root.count("Assertion", in: SAMLName.assertion)
            + root.count("EncryptedAssertion", in: SAMLName.assertion)
        let status = isResponse ? StatusReader.refusal(in: root) : nil
        if all == 0, let status { throw status }
        guard all == 1, !isResponse || plain.count + encrypted.count == 1 else {
            throw .assertionCount(all)
        }
        // One assertion, and it stands where it belongs.
        let places = [root] + plain
        for place in places where place.children("Signature", in: Namespace.signature).count > 1 {
            throw .document(.misplacedSignature)
        }
        let placed = places.reduce(0) {
            $0 + $1.children("Signature", in: Namespace.signature).count
        }
        guard root.count("Signature", in: Namespace.signature) == placed else {
            throw .document(.misplacedSignature)
        }
    }
}

/// What a response says of its success (SAML Core §3.2.2).
enum StatusReader {
    /// Nil when it is success.
    static func refusal(in response: XMLElement) -> SAMLRefusal? {
        guard let status = response.onlyChild("Status", in: SAMLName.protocol),
            let code = status.onlyChild("StatusCode", in: SAMLName.protocol),
            let value = code.attribute("Value")
        else { return .malformed("Status") }
        if value == SAMLName.success { return nil }
        let inner = code.children("StatusCode", in: SAMLName.protocol).first?.attribute("Value")
        let words = [value, inner ?? ""].map { $0.split(separator: ":").last ?? "" }
        return .status(
            words.map { word in String(word.filter { $0.isLetter && $0.isASCII }.prefix(40)) }
                .filter { !$0.isEmpty }.joined(separator: ", "))
    }
}
