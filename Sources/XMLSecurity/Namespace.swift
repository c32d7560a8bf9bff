/// Namespaces of XML Signature and XML Encryption.
package enum Namespace {
    package static let signature = "http://www.w3.org/2000/09/xmldsig#"
    package static let encryption = "http://www.w3.org/2001/04/xmlenc#"
    package static let encryption11 = "http://www.w3.org/2009/xmlenc11#"
    package static let exclusive = "http://www.w3.org/2001/10/xml-exc-c14n#"
}
