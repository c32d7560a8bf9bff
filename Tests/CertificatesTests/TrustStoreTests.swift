import Certificates
import NetTypes
import Testing

@Suite("Which certificates lead to a trusted authority") struct TrustStoreTests {
    @Test(
        "Machines of a trusted authority are accepted",
        arguments: [
            "rsa.pem", "p256.pem", "direct.pem", "constrained.pem", "compressed.pem", "rsa-e3.pem",
            "two-names.pem",
        ])
    func accepts(_ name: String) throws {
        #expect(try Fixtures.fault(of: name, in: Fixtures.trust()) == nil)
    }

    @Test("An issuing authority may be trusted without its root, and then nothing else is")
    func issuing() throws {
        let trust = try Fixtures.trust(["issuing.pem"])
        #expect(try Fixtures.fault(of: "p256.pem", in: trust) == nil)
        #expect(try Fixtures.fault(of: "direct.pem", in: trust) == .untrusted)
    }

    @Test(
        "Every kind of bad certificate is refused by its own name",
        arguments: [
            ("wrong-authority.pem", .badSignature), ("expired.pem", .expired(isLeaf: true)),
            ("not-yet-valid.pem", .notYetValid(isLeaf: true)),
            ("authority-as-leaf.pem", .authorityAsLeaf), ("no-client.pem", .noClientAuthentication),
            ("no-eku.pem", .noClientAuthentication), ("any-eku.pem", .noClientAuthentication),
            ("no-signing.pem", .noDigitalSignature), ("sha1.pem", .weakDigest),
            ("critical.pem", .other("unhandled critical extension")), ("rsa1024.pem", .weakKey),
            ("p384.pem", .unsupportedKey), ("ed25519.pem", .unsupportedKey),
            ("leaf-by-leaf.pem", .notAnAuthority), ("path-length.pem", .notAnAuthority),
            ("no-cert-sign.pem", .notAnAuthority),
            ("expired-authority.pem", .expired(isLeaf: false)),
            ("constraint-broken.pem", .nameConstraint),
        ] as [(String, CertificateFault)])
    func refuses(_ name: String, _ expected: CertificateFault) throws {
        #expect(try Fixtures.fault(of: name, in: Fixtures.trust()) == expected)
    }

    @Test("A path longer than is followed is refused, whatever its end")
    func longChain() throws {
        let trust = try Fixtures.trust(["long-chain-roots.pem"])
        #expect(try Fixtures.fault(of: "long-chain.pem", in: trust) == nil)
        #expect(try Fixtures.fault(of: "long-chain.pem", in: Fixtures.trust()) == .untrusted)
    }

    @Test("Validity is judged by the time that is given")
    func time() throws {
        let trust = try Fixtures.trust()
        let before = Timestamp(rfc3339: "2025-12-31T23:59:59Z")!
        let within = Timestamp(rfc3339: "2026-05-31T23:59:59Z")!
        #expect(try Fixtures.fault(of: "expired.pem", in: trust, at: within) == nil)
        let early = try Fixtures.fault(of: "p256.pem", in: trust, at: before)
        let isEarly = if case .notYetValid? = early { true } else { false }
        #expect(isEarly)
    }

    @Test("A certificate in a revocation list is refused, another of the same key is not")
    func revoked() throws {
        let trust = try Fixtures.trust(lists: ["issuing.crl"])
        #expect(trust.nextRevocationUpdate == Timestamp(rfc3339: "2125-01-01T00:00:00Z"))
        #expect(
            try Fixtures.fault(of: "p256-reissued.pem", in: trust) == .revoked(isLeaf: true))
        #expect(try Fixtures.fault(of: "p256.pem", in: trust) == nil)
    }

    @Test("An issuer in the list of the authority above it takes its machines with it")
    func revokedIssuer() throws {
        let trust = try Fixtures.trust(lists: ["issuing.crl", "root-revokes-issuing.crl"])
        #expect(try Fixtures.fault(of: "p256.pem", in: trust) == .revoked(isLeaf: false))
    }

    @Test("With lists, an issuer without a current and genuine one certifies nobody")
    func lists() throws {
        let other = try Fixtures.trust(lists: ["issuing.crl"])
        #expect(try Fixtures.fault(of: "direct.pem", in: other) == .noRevocationList)
        let stale = try Fixtures.trust(lists: ["stale.crl"])
        #expect(try Fixtures.fault(of: "p256.pem", in: stale) == .staleRevocationList)
        let forged = try Fixtures.trust(lists: ["forged.crl"])
        #expect(try Fixtures.fault(of: "p256.pem", in: forged) == .noRevocationList)
    }

    @Test(
        "Files that hold no authority are refused",
        arguments: [
            ("p256.pem", .notAnAuthority), ("p256.key", .empty), ("generate.py", .empty),
        ] as [(String, CertificateFault)])
    func authorityFiles(_ name: String, _ expected: CertificateFault) throws {
        let fault = #expect(throws: TrustStore.FileFault.self) {
            try Fixtures.trust(["root.pem", name])
        }
        #expect(fault?.fault == expected)
        #expect(fault?.index == 1)
    }

    @Test("A file that is no revocation list is refused, and so is one that was cut")
    func listFiles() throws {
        let fault = #expect(throws: TrustStore.FileFault.self) {
            try Fixtures.trust(lists: ["root.pem"])
        }
        #expect(fault == .init(index: 0, isRevocationList: true, fault: .empty))
        let root = try Fixtures.file("root.pem")
        let list = try Fixtures.file("issuing.crl")
        let cut = #expect(throws: TrustStore.FileFault.self) {
            try TrustStore(authorities: [root], revocationLists: [Array(list.dropLast(60))])
        }
        #expect(cut?.fault == .malformed)
        let der = try Fixtures.der("issuing.crl")
        #expect(throws: Never.self) {
            try TrustStore(authorities: [root], revocationLists: [der])
        }
        #expect(throws: TrustStore.FileFault.self) {
            try TrustStore(authorities: [root], revocationLists: [der + [0]])
        }
    }

    @Test("The path's keys are told, so that any of them can be blocked")
    func path() throws {
        let chain = try Fixtures.chain("p256.pem")
        let keys = try Fixtures.trust().check(chain, at: Fixtures.now)
        let issuing = try Fixtures.chain("issuing.pem")
        let leafKey = chain.leaf.keyHash
        let issuingKey = issuing.leaf.keyHash
        #expect(keys.count == 3)
        #expect(keys[0] == leafKey)
        #expect(keys[1] == issuingKey)
    }
}
