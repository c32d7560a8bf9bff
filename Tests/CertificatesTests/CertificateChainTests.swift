import Certificates
import NetTypes
import Testing

@Suite("Chains of certificates and what they sign") struct CertificateChainTests {
    private func parse(_ der: [UInt8]) throws(CertificateFault) -> LeafCertificate {
        try CertificateChain(der: der.span.bytes).leaf
    }

    @Test("What a leaf says is read")
    func leaf() throws {
        let leaf = try parse(Fixtures.der("p256.pem"))
        #expect(leaf.subject == "O=Bücher\\, Inc,OU=alice,CN=laptop-7")
        #expect(leaf.notBefore == Timestamp(rfc3339: "2026-01-01T00:00:00Z"))
        #expect(leaf.notAfter == Timestamp(rfc3339: "2125-01-01T00:00:00Z"))
    }

    @Test("A key has one hash, in every certificate and however its point is written")
    func keyHash() throws {
        let first = try parse(Fixtures.der("p256.pem"))
        let again = try parse(Fixtures.der("p256-reissued.pem"))
        let compressed = try parse(Fixtures.der("compressed.pem"))
        let other = try parse(Fixtures.der("stranger.pem"))
        #expect(first.keyHash == again.keyHash)
        #expect(first.keyHash == compressed.keyHash)
        #expect(first.serialHash != again.serialHash)
        #expect(first.keyHash != other.keyHash)
    }

    @Test("Text that could steer a terminal is not shown")
    func oddName() throws {
        let leaf = try parse(Fixtures.der("odd-name.pem"))
        let scalars = leaf.subject.unicodeScalars
        #expect(!scalars.contains { $0.value < 0x20 || $0.value == 0x202E })
        let chain = try Fixtures.chain("odd-name.pem")
        let name = chain.value(of: .commonName)
        #expect(name == nil)
    }

    @Test("A field has a value when there is exactly one")
    func fields() throws {
        let chain = try Fixtures.chain("p256.pem")
        let values = CertificateField.allCases.map { chain.value(of: $0) }
        #expect(
            values == [
                "laptop-7", "alice", nil, nil, nil, "alice@example.org", "laptop-7.example.org",
                nil,
            ])
        let ambiguous = try Fixtures.chain("two-names.pem").value(of: .commonName)
        #expect(ambiguous == nil)
    }

    @Test("Bytes that are not certificates to the last are refused")
    func malformed() throws {
        let der = try Fixtures.der("p256.pem")
        #expect(throws: CertificateFault.empty) { try parse([]) }
        #expect(throws: CertificateFault.malformed) { try parse(der + [0]) }
        for cut in stride(from: 1, to: der.count, by: 7) {
            let shorter = Array(der.prefix(cut))
            #expect(throws: CertificateFault.self) {
                let leaf = try parse(shorter)
                // A cut between two certificates leaves a shorter chain, which is whole.
                if leaf.subject.contains("laptop-7") { throw CertificateFault.malformed }
            }
        }
        #expect(throws: CertificateFault.tooLarge) {
            try parse([UInt8](repeating: 0x30, count: 65_537))
        }
        let many = Array(repeatElement(try Fixtures.der("direct.pem"), count: 9).joined())
        #expect(throws: CertificateFault.tooManyCertificates) { try parse(many) }
    }

    @Test(
        "A signature is good for its message, its key and nothing else",
        arguments: [("rsa.pem", "rsa.key"), ("p256.pem", "p256.key")])
    func signature(_ certificates: String, _ key: String) throws {
        let identity = try Fixtures.identity(certificates, key)
        let message = Array("2027-01-01T00:00:00Z and more".utf8)
        let made = identity.sign(message.span.bytes)
        let signature = try #require(made)
        let der = identity.certificates
        let chain = try CertificateChain(der: der.span.bytes)
        let isGood = chain.leafSigned(message.span.bytes, signature: signature.span.bytes)
        #expect(isGood)
        var changed = message
        changed[0] ^= 1
        let isOther = chain.leafSigned(changed.span.bytes, signature: signature.span.bytes)
        #expect(!isOther)
        var broken = signature
        broken[broken.count - 1] ^= 1
        let isBroken = chain.leafSigned(message.span.bytes, signature: broken.span.bytes)
        #expect(!isBroken)
        let isEmpty = chain.leafSigned(message.span.bytes, signature: [UInt8]().span.bytes)
        #expect(!isEmpty)
        let stranger = try Fixtures.chain("stranger.pem")
        let isStrangers = stranger.leafSigned(
            message.span.bytes, signature: signature.span.bytes)
        #expect(!isStrangers)
    }

    @Test(
        "An identity needs a readable key of its first certificate, of a kind that is accepted",
        arguments: [
            ("p256.pem", "stranger.key", .keyMismatch),
            ("p256.pem", "encrypted.key", .encryptedKey),
            ("p256.pem", "p256.pem", .noPrivateKey), ("p256.key", "p256.key", .empty),
            ("p384.pem", "p384.key", .unsupportedKey),
        ] as [(String, String, CertificateFault)])
    func identities(_ certificates: String, _ key: String, _ expected: CertificateFault) {
        #expect(throws: expected) { try Fixtures.identity(certificates, key) }
    }
}
