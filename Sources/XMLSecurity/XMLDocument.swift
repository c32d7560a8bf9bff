internal import CXMLSec

/// A document that was read once; `root` and the signatures that are checked are of the same reading.
@safe
package final class XMLDocument {
    /// What may stand in a document besides elements and text. Document types may not, ever.
    package enum Strictness: Sendable {
        /// Nothing: for what is signed.
        case strict
        /// Comments, CDATA sections and processing instructions, which are skipped over or read as text: for
        /// what comes from the administrator.
        case lenient
    }

    private let pointer: OpaquePointer
    package let root: XMLElement

    /// Reads UTF-8 of at most a megabyte.
    package init(_ bytes: RawSpan, _ strictness: Strictness = .strict) throws(XMLFault) {
        unsafe (pointer, root) = try unsafe Self.parse(bytes, strictness)
    }

    private static func parse(
        _ bytes: RawSpan, _ strictness: Strictness
    ) throws(XMLFault) -> (OpaquePointer, XMLElement) {
        var status: Int32 = 0
        let parsed = unsafe bytes.pointer {
            unsafe cxmlsec_parse($0, bytes.byteCount, strictness == .lenient ? 1 : 0, &status)
        }
        guard let parsed = unsafe parsed else { throw XMLFault(status) }
        do throws(XMLFault) {
            let outline = try unsafe bytesOrFault { unsafe cxmlsec_outline(parsed, &$0) }
            guard let root = XMLElement(outline: outline) else { throw XMLFault.internalError }
            guard strictness == .lenient || root.hasUniqueIDs else { throw XMLFault.duplicateID }
            return unsafe (parsed, root)
        } catch {
            unsafe cxmlsec_document_free(parsed)
            throw error
        }
    }

    deinit { unsafe cxmlsec_document_free(pointer) }

    /// Checks the one signature that stands directly in an element of this document.
    ///
    /// - Returns: what was signed: the element as the root of a document of its own, read from the canonical
    ///   bytes that the signature was made over. Only what is read there is signed.
    package func verified(
        _ element: XMLElement, by keys: [VerificationKey]
    ) throws(XMLFault) -> XMLDocument {
        let signatures = element.children("Signature", in: Namespace.signature)
        guard signatures.count == 1 else { throw .misplacedSignature }
        guard root.hasUniqueIDs else { throw .duplicateID }
        let signature = signatures[0]
        try SignatureShape.check(signature, of: element)
        let canonical = try unsafe VerificationKey.withPointers(of: keys) {
            pointers throws(XMLFault) in
            try unsafe bytesOrFault {
                unsafe cxmlsec_verify(
                    pointer, signature.number, element.number, pointers, keys.count, &$0)
            }
        }
        let signed = try unsafe XMLDocument(canonical.span.bytes)
        guard signed.root.is(element.name, in: element.namespace),
            signed.root.attribute("ID") == element.attribute("ID")
        else { throw .signedSomethingElse }
        return signed
    }

    /// Fills in the signature template that stands directly in an element, and gives the whole document.
    package func signed(
        _ element: XMLElement, by identity: SigningIdentity
    ) throws(XMLFault) -> [UInt8] {
        let signatures = element.children("Signature", in: Namespace.signature)
        guard signatures.count == 1 else { throw .misplacedSignature }
        return try unsafe bytesOrFault {
            unsafe cxmlsec_sign(
                pointer, signatures[0].number, element.number, identity.pointer, &$0)
        }
    }
}

/// What a C function wrote, or its reason.
func bytesOrFault(
    _ body: (inout cxmlsec_bytes) -> Int32
) throws(XMLFault) -> [UInt8] {
    var made = unsafe cxmlsec_bytes()
    defer { unsafe cxmlsec_bytes_free(&made) }
    let status = unsafe body(&made)
    guard status == CXMLSEC_OK else { throw XMLFault(status) }
    return unsafe Array(UnsafeBufferPointer(start: made.bytes, count: made.count))
}

/// The same for two at once.
func twoBytesOrFault(
    _ body: (inout cxmlsec_bytes, inout cxmlsec_bytes) -> Int32
) throws(XMLFault) -> ([UInt8], [UInt8]) {
    var first = unsafe cxmlsec_bytes()
    defer { unsafe cxmlsec_bytes_free(&first) }
    let second = try unsafe bytesOrFault { unsafe body(&first, &$0) }
    return unsafe (Array(UnsafeBufferPointer(start: first.bytes, count: first.count)), second)
}

extension RawSpan {
    /// Passes the bytes to a C function. An empty span gives a pointer that must not be read.
    @unsafe
    func pointer<Result>(_ body: (UnsafePointer<UInt8>) -> Result) -> Result {
        unsafe withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress else {
                var none: UInt8 = 0
                return unsafe withUnsafePointer(to: &none) { unsafe body($0) }
            }
            return unsafe body(base.assumingMemoryBound(to: UInt8.self))
        }
    }
}
