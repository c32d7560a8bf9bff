/// What a signature must look like before any of it is computed: one reference, to the element that it stands
/// in, made by algorithms of a short list. What KeyInfo says is nobody's business.
enum SignatureShape {
    private static let canonicalizations: Set = [
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments",
        "http://www.w3.org/2001/10/xml-exc-c14n#",
        "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
    ]
    private static let signatures: Set = [
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384",
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512",
    ]
    private static let digests: Set = [
        "http://www.w3.org/2001/04/xmlenc#sha256",
        "http://www.w3.org/2001/04/xmldsig-more#sha384",
        "http://www.w3.org/2001/04/xmlenc#sha512",
    ]
    private static let enveloped = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"

    static func check(_ signature: XMLElement, of element: XMLElement) throws(XMLFault) {
        let parts = signature.children
        try expect(
            parts.prefix(2), ["SignedInfo", "SignatureValue"],
            parts.count == 2
                || parts.count == 3 && parts[2].is("KeyInfo", in: Namespace.signature))
        let info = parts[0].children
        try expect(info, ["CanonicalizationMethod", "SignatureMethod", "Reference"])
        try check(info[0], oneOf: canonicalizations, mayListNamespaces: true)
        try check(info[1], oneOf: signatures)
        try checkReference(info[2], to: element)
    }

    private static func checkReference(
        _ reference: XMLElement, to element: XMLElement
    ) throws(XMLFault) {
        guard let id = element.attribute("ID"), isPlain(id), reference.attribute("URI") == "#" + id
        else { throw .foreignReference }
        let parts = reference.children
        try expect(parts, ["Transforms", "DigestMethod", "DigestValue"])
        try check(parts[1], oneOf: digests)
        let transforms = parts[0].children
        guard (1...2).contains(transforms.count) else {
            throw .signatureShape("\(transforms.count) transforms")
        }
        for transform in transforms {
            guard transform.is("Transform", in: Namespace.signature) else {
                throw .signatureShape(transform.name)
            }
        }
        try check(transforms[0], oneOf: [enveloped])
        if transforms.count == 2 {
            try check(transforms[1], oneOf: canonicalizations, mayListNamespaces: true)
        }
    }

    private static func expect(
        _ parts: some Collection<XMLElement>, _ names: [String], _ isComplete: Bool = true
    ) throws(XMLFault) {
        guard isComplete, parts.count == names.count,
            zip(parts, names).allSatisfy({ $0.is($1, in: Namespace.signature) })
        else { throw .signatureShape("not exactly \(names.joined(separator: ", "))") }
    }

    private static func check(
        _ method: XMLElement, oneOf algorithms: Set<String>, mayListNamespaces: Bool = false
    ) throws(XMLFault) {
        let name = method.attribute("Algorithm") ?? ""
        guard algorithms.contains(name) else { throw .forbiddenAlgorithm(shown(name)) }
        let isPlain = method.children.allSatisfy {
            mayListNamespaces && $0.is("InclusiveNamespaces", in: Namespace.exclusive)
                && $0.children.isEmpty
        }
        guard isPlain, method.children.count <= 1 else {
            throw .signatureShape("parameters of \(shown(name))")
        }
    }

    /// An ID that means itself in an XPointer.
    private static func isPlain(_ id: String) -> Bool {
        (1...256).contains(id.utf8.count)
            && id.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
                    UInt8(ascii: "."):
                    true
                default: false
                }
            }
    }

    /// What a stranger wrote, short enough for a log.
    static func shown(_ name: String) -> String { String(name.prefix(80)) }
}
