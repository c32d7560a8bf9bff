internal import ControlMessages
package import NetTypes
package import XMLSecurity

/// A SAML identity provider for tests: it says what it is told, and signs it.
package struct FakeIdentityProvider: Sendable {
    package var entityID = "https://idp.example/metadata"
    package var loginURL = "https://idp.example/login"
    package let identity: SigningIdentity
    /// The certificate's key, as everybody knows it.
    package let key: VerificationKey

    package init(_ kind: SigningIdentity.NewKey = .rsa2048) throws(XMLFault) {
        let new = try SigningIdentity.make(
            kind, name: "idp.example", from: Timestamp(unixSeconds: 1_700_000_000),
            to: Timestamp(unixSeconds: 2_000_000_000))
        identity = try unsafe SigningIdentity(
            certificate: new.certificate.span.bytes, key: new.key.span.bytes, .any)
        let certificate = identity.certificate
        key = try unsafe VerificationKey(certificate: certificate.span.bytes)
    }

    package var certificateText: String { Base64Bytes(identity.certificate).text }

    package var metadata: String {
        """
        <?xml version="1.0"?>
        <!-- made for tests -->
        <md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="\(entityID)">
          <md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
            <md:KeyDescriptor use="signing">
              <ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data>
                <ds:X509Certificate>\(certificateText)</ds:X509Certificate>
              </ds:X509Data></ds:KeyInfo>
            </md:KeyDescriptor>
            <md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="\(loginURL)"/>
            <md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="\(loginURL)/post"/>
          </md:IDPSSODescriptor>
        </md:EntityDescriptor>
        """
    }

    // MARK: Responses

    /// What a response claims.
    package struct Claim: Sendable {
        package var issuer: String
        package var request: String
        package var audience: String
        /// Both where the response goes and where the assertion may be shown.
        package var recipient: String
        package var destination: String?
        package var confirmedRequest: String?
        package var nameID = "3f7b8f4e"
        package var format = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
        package var attributes: [(name: String, values: [String])] = []
        package var now: Timestamp
        package var lifetime = Nanoseconds.minutes(5)
        package var responseID = "_response1"
        package var assertionID = "_assertion1"
        package var status = "urn:oasis:names:tc:SAML:2.0:status:Success"
        /// Stands among the conditions.
        package var condition = ""
    }

    package func claim(
        request: String, audience: String, recipient: String, at now: Timestamp
    ) -> Claim {
        Claim(
            issuer: entityID, request: request, audience: audience, recipient: recipient,
            destination: recipient, confirmedRequest: request,
            now: Timestamp(unixSeconds: now.unixSeconds))
    }

    /// What a signature says of itself; the defaults are what most providers write.
    package struct Template: Sendable {
        package var canonicalization = "http://www.w3.org/2001/10/xml-exc-c14n#"
        package var method: String
        package var digest = "http://www.w3.org/2001/04/xmlenc#sha256"
        /// Nil: the enveloped-signature transform and the canonicalization.
        package var transforms: String?
        /// Nil: the element's own.
        package var uri: String?
        package var keyInfo = ""

        package init(method: String = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256") {
            self.method = method
        }

        package func text(of id: String) -> String {
            let usual = """
                <ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>\
                <ds:Transform Algorithm="\(canonicalization)"/>
                """
            return """
                <ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Id="Signature\(id)">\
                <ds:SignedInfo>\
                <ds:CanonicalizationMethod Algorithm="\(canonicalization)"/>\
                <ds:SignatureMethod Algorithm="\(method)"/>\
                <ds:Reference URI="\(uri ?? "#" + id)"><ds:Transforms>\(transforms ?? usual)</ds:Transforms>\
                <ds:DigestMethod Algorithm="\(digest)"/><ds:DigestValue></ds:DigestValue>\
                </ds:Reference></ds:SignedInfo><ds:SignatureValue></ds:SignatureValue>\
                \(keyInfo)</ds:Signature>
                """
        }
    }

    package enum Signed: Sendable {
        case nothing, assertion, response, both
    }

    /// A response as XML.
    ///
    /// - Parameter encryption: what the assertion is encrypted for, after it was signed.
    package func response(
        _ claim: Claim, signing: Signed = .assertion, by template: Template = Template(),
        encryption: (key: VerificationKey, cipher: EncryptedContent.Cipher)? = nil
    ) throws(XMLFault) -> String {
        let signsAssertion = signing == .assertion || signing == .both
        var assertion = self.assertion(claim)
        if let encryption {
            if signsAssertion {
                assertion = try sign(assertion, template.text(of: claim.assertionID))
            }
            assertion = try encrypted(assertion, for: encryption.key, encryption.cipher)
        }
        let destination = claim.destination.map { " Destination=\"\($0)\"" } ?? ""
        var response = """
            <samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" \
            xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="\(claim.responseID)" \
            Version="2.0" IssueInstant="\(claim.now)"\(destination) InResponseTo="\(claim.request)">\
            <saml:Issuer>\(claim.issuer)</saml:Issuer>\
            <samlp:Status><samlp:StatusCode Value="\(claim.status)"/></samlp:Status>\
            \(assertion)</samlp:Response>
            """
        if signsAssertion, encryption == nil {
            response = try sign(
                response, template.text(of: claim.assertionID), inAssertion: true)
        }
        guard signing == .response || signing == .both else { return response }
        return try sign(response, template.text(of: claim.responseID))
    }

    /// Puts a template behind the issuer of the outermost element, or of the assertion in it, and fills it in.
    package func sign(
        _ text: String, _ template: String, inAssertion: Bool = false
    ) throws(XMLFault) -> String {
        let issuers = text.ranges(of: "</saml:Issuer>")
        guard let place = inAssertion ? issuers.last : issuers.first else { throw .malformed }
        let whole = text[..<place.upperBound] + template + text[place.upperBound...]
        let document = try unsafe XMLDocument(Array(whole.utf8).span.bytes)
        let element =
            inAssertion
            ? document.root.onlyChild(
                "Assertion", in: "urn:oasis:names:tc:SAML:2.0:assertion") : document.root
        guard let element else { throw .malformed }
        return String(decoding: try document.signed(element, by: identity), as: UTF8.self)
    }

    package func assertion(_ claim: Claim) -> String {
        let attributes = claim.attributes.map { attribute in
            let values = attribute.values.map {
                "<saml:AttributeValue>\($0)</saml:AttributeValue>"
            }
            return
                "<saml:Attribute Name=\"\(attribute.name)\">\(values.joined())</saml:Attribute>"
        }
        let statement =
            attributes.isEmpty
            ? "" : "<saml:AttributeStatement>\(attributes.joined())</saml:AttributeStatement>"
        let end = claim.now + claim.lifetime
        let confirmed = claim.confirmedRequest.map { " InResponseTo=\"\($0)\"" } ?? ""
        return """
            <saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" \
            ID="\(claim.assertionID)" Version="2.0" IssueInstant="\(claim.now)">\
            <saml:Issuer>\(claim.issuer)</saml:Issuer>\
            <saml:Subject><saml:NameID Format="\(claim.format)">\(claim.nameID)</saml:NameID>\
            <saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">\
            <saml:SubjectConfirmationData\(confirmed) NotOnOrAfter="\(end)" \
            Recipient="\(claim.recipient)"/></saml:SubjectConfirmation></saml:Subject>\
            <saml:Conditions NotBefore="\(claim.now)" NotOnOrAfter="\(end)">\
            <saml:AudienceRestriction><saml:Audience>\(claim.audience)</saml:Audience>\
            </saml:AudienceRestriction>\(claim.condition)</saml:Conditions>\
            <saml:AuthnStatement AuthnInstant="\(claim.now)"><saml:AuthnContext>\
            <saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password\
            </saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>\
            \(statement)</saml:Assertion>
            """
    }

    private func encrypted(
        _ assertion: String, for key: VerificationKey, _ cipher: EncryptedContent.Cipher
    ) throws(XMLFault) -> String {
        let content = try unsafe EncryptedContent(
            sealing: Array(assertion.utf8).span.bytes, for: key, cipher)
        let algorithm =
            cipher.isAuthenticated
            ? "http://www.w3.org/2009/xmlenc11#aes\(cipher.keyBits)-gcm"
            : "http://www.w3.org/2001/04/xmlenc#aes\(cipher.keyBits)-cbc"
        return """
            <saml:EncryptedAssertion>\
            <xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#" \
            Type="http://www.w3.org/2001/04/xmlenc#Element">\
            <xenc:EncryptionMethod Algorithm="\(algorithm)"/>\
            <ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><xenc:EncryptedKey>\
            <xenc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p">\
            \(digestMethod(cipher.digest))</xenc:EncryptionMethod><xenc:CipherData>\
            <xenc:CipherValue>\(Base64Bytes(content.wrappedKey).text)</xenc:CipherValue>\
            </xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData>\
            <xenc:CipherValue>\(Base64Bytes(content.sealed).text)</xenc:CipherValue>\
            </xenc:CipherData></xenc:EncryptedData></saml:EncryptedAssertion>
            """
    }

    private func digestMethod(_ digest: EncryptedContent.Cipher.Digest) -> String {
        digest == .sha256
            ? "<ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/>" : ""
    }

    /// A response as the form's field.
    package static func field(_ response: String) -> String {
        Base64Bytes(Array(response.utf8)).text
    }
}
