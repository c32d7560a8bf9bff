internal import ControlMessages
internal import XMLSecurity

extension ServiceProvider {
    /// What the provider needs to know of this server (SAML Metadata §2.4.4).
    package var metadata: String {
        let certificate = Base64Bytes(identity.certificate).text
        let keys = ["signing", "encryption"].map { use in
            """
              <md:KeyDescriptor use="\(use)">
                  <ds:KeyInfo><ds:X509Data><ds:X509Certificate>\(certificate)\
            </ds:X509Certificate></ds:X509Data></ds:KeyInfo>\(use == "encryption" ? Self.ciphers : "")
                </md:KeyDescriptor>
            """
        }
        let format =
            mapping.subject == .persistentNameID
            ? "\n    <md:NameIDFormat>\(SAMLName.persistent)</md:NameIDFormat>" : ""
        return """
            <?xml version="1.0" encoding="UTF-8"?>
            <md:EntityDescriptor xmlns:md="\(SAMLName.metadata)" xmlns:ds="\(Namespace.signature)" \
            entityID="\(xmlEscaped(entityID))">
              <md:SPSSODescriptor AuthnRequestsSigned="\(signsRequests)" WantAssertionsSigned="true" \
            protocolSupportEnumeration="\(SAMLName.protocol)">
              \(keys.joined(separator: "\n  "))\(format)
                <md:AssertionConsumerService Binding="\(SAMLName.post)" \
            Location="\(xmlEscaped(responseURL))" index="0" isDefault="true"/>
              </md:SPSSODescriptor>
            </md:EntityDescriptor>

            """
    }

    private static var ciphers: String {
        [
            Namespace.encryption11 + "aes256-gcm", Namespace.encryption11 + "aes128-gcm",
            Namespace.encryption + "rsa-oaep-mgf1p",
        ].map { "\n      <md:EncryptionMethod Algorithm=\"\($0)\"/>" }.joined()
    }
}
