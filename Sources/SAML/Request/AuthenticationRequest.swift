internal import ControlMessages
internal import NetTypes
internal import WebForms
internal import XMLSecurity

/// A request on its way to the provider.
package enum OutgoingRequest: Equatable, Sendable {
    /// The browser is sent there.
    case redirect(url: String)
    /// The browser posts a form there, with the field `SAMLRequest`.
    case form(action: String, samlRequest: String)
}

/// Asks an identity provider who somebody is (SAML Core §3.4).
struct AuthenticationRequest {
    var id: String
    var issued: Timestamp

    func outgoing(
        _ service: ServiceProvider, to provider: IdentityProviderRecord
    ) throws(SAMLRefusal) -> OutgoingRequest {
        let isSigned = service.signsRequests || provider.wantsSignedRequests
        let redirect = service.requestBinding == .post ? nil : provider.redirectURL
        let post = service.requestBinding == .redirect ? nil : provider.postURL
        do throws(XMLFault) {
            if let redirect {
                return .redirect(url: try redirectURL(service, redirect, isSigned))
            }
            if let post {
                var text = Array(xml(service, destination: post, isSigned: isSigned).utf8)
                if isSigned {
                    let document = try unsafe XMLDocument(text.span.bytes)
                    text = try document.signed(document.root, by: service.identity)
                }
                return .form(action: post, samlRequest: Base64Bytes(text).text)
            }
        } catch {
            throw .document(error)
        }
        throw .noProvider("the provider has no address for the binding that request_binding wants")
    }

    /// SAML Bindings §3.4.4.1: the query is what is signed.
    private func redirectURL(
        _ service: ServiceProvider, _ location: String, _ isSigned: Bool
    ) throws(XMLFault) -> String {
        let text = xml(service, destination: location, isSigned: false)
        let request = Base64Bytes(Self.deflated(Array(text.utf8))).text
        var query = "SAMLRequest=\(percentEncoded(request))"
        if isSigned {
            query += "&SigAlg=\(percentEncoded(SAMLName.rsaSHA256))"
            let signature = try unsafe service.identity.sign(Array(query.utf8).span.bytes)
            query += "&Signature=\(percentEncoded(Base64Bytes(signature).text))"
        }
        return location + (location.contains("?") ? "&" : "?") + query
    }

    /// The DEFLATE format (RFC 1951) without compression: one block, which is long enough by far.
    private static func deflated(_ bytes: [UInt8]) -> [UInt8] {
        precondition(bytes.count <= 65_535, "a request is short")
        let count = UInt16(bytes.count)
        let parts = [count, ~count].flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
        return [1] + parts + bytes
    }

    private func xml(_ service: ServiceProvider, destination: String, isSigned: Bool) -> String {
        let policy =
            service.mapping.subject == .persistentNameID
            ? "Format=\"\(SAMLName.persistent)\" AllowCreate=\"true\"" : "AllowCreate=\"true\""
        let time = Timestamp(unixSeconds: issued.unixSeconds)
        return """
            <samlp:AuthnRequest xmlns:samlp="\(SAMLName.protocol)" xmlns:saml="\(SAMLName.assertion)" \
            ID="\(id)" Version="2.0" IssueInstant="\(time)" Destination="\(xmlEscaped(destination))" \
            ProtocolBinding="\(SAMLName.post)" \
            AssertionConsumerServiceURL="\(xmlEscaped(service.responseURL))">\
            <saml:Issuer>\(xmlEscaped(service.entityID))</saml:Issuer>\
            \(isSigned ? Self.signatureTemplate(of: id) : "")\
            <samlp:NameIDPolicy \(policy)/></samlp:AuthnRequest>
            """
    }

    private static func signatureTemplate(of id: String) -> String {
        """
        <ds:Signature xmlns:ds="\(Namespace.signature)"><ds:SignedInfo>\
        <ds:CanonicalizationMethod Algorithm="\(Namespace.exclusive)"/>\
        <ds:SignatureMethod Algorithm="\(SAMLName.rsaSHA256)"/>\
        <ds:Reference URI="#\(id)"><ds:Transforms>\
        <ds:Transform Algorithm="\(Namespace.signature)enveloped-signature"/>\
        <ds:Transform Algorithm="\(Namespace.exclusive)"/></ds:Transforms>\
        <ds:DigestMethod Algorithm="\(Namespace.encryption)sha256"/><ds:DigestValue/>\
        </ds:Reference></ds:SignedInfo><ds:SignatureValue/></ds:Signature>
        """
    }
}
