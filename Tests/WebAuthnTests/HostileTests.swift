import NetTypes
import SimulatedAuthenticator
import Testing
import WebAuthn

@Suite struct HostileTests {
    private let party = RelyingParty(serverURL: "https://mesh.example.org/", name: "Skein")!
    private let challenge = [UInt8](repeating: 7, count: 40)

    private func authenticator() -> SimulatedAuthenticator {
        SimulatedAuthenticator(
            party: "mesh.example.org", origin: "https://mesh.example.org", credential: [1, 2, 3])
    }

    private func known(counter: UInt32 = 0, isBackupEligible: Bool = false) throws
        -> KnownCredential
    {
        let made = try party.register(authenticator().register(challenge), challenge: challenge)
        return KnownCredential(
            publicKey: made.publicKey, counter: counter, isBackupEligible: isBackupEligible)
    }

    @Test("An honest authenticator registers and signs")
    func honest() throws {
        let made = try party.register(authenticator().register(challenge), challenge: challenge)
        #expect(made.id == [1, 2, 3] && made.isUserVerified && !made.isBackupEligible)
        let assertion = try party.authenticate(
            authenticator().sign(challenge), challenge: challenge, with: try known(),
            requiresUserVerification: true)
        #expect(assertion.isUserVerified && assertion.counter == 0)
    }

    /// What is wrong, and why it is refused in both ceremonies.
    static let faulty: [(String, PasskeyFault, @Sendable (inout SimulatedAuthenticator) -> Void)] =
        [
            (
                "another site", .wrongOrigin("https://evil.example"),
                { $0.origin = "https://evil.example" }
            ),
            (
                "a name below ours", .wrongOrigin("https://x.mesh.example.org"),
                { $0.origin = "https://x.mesh.example.org" }
            ),
            (
                "no TLS", .wrongOrigin("http://mesh.example.org"),
                { $0.origin = "http://mesh.example.org" }
            ),
            (
                "another port", .wrongOrigin("https://mesh.example.org:8443"),
                { $0.origin = "https://mesh.example.org:8443" }
            ),
            ("the server's name for another", .wrongRelyingParty, { $0.party = "example.org" }),
            ("a frame of another site", .crossOrigin, { $0.members = "\"crossOrigin\":true" }),
            (
                "a frame, said otherwise", .crossOrigin,
                { $0.members = "\"topOrigin\":\"https://evil.example\"" }
            ),
            ("nobody there", .userNotPresent, { $0.flags = [.userVerified] }),
            ("a nonsense type", .wrongType, { $0.type = "payment.get" }),
            (
                "backed up, though it cannot be", .wrongBackupState,
                { $0.flags = [.userPresent, .backedUp] }
            ),
            ("more behind it", .malformed("authenticator data"), { $0.trailing = [0] }),
            (
                "a member twice", .malformed("client data"),
                { $0.members = "\"type\":\"webauthn.get\"" }
            ),
            (
                "a member of a wrong kind", .malformed("client data"),
                { $0.members = "\"crossOrigin\":0" }
            ),
        ]

    @Test(
        "What is made elsewhere or otherwise is refused for what it is", arguments: faulty.indices)
    func refused(index: Int) throws {
        let (_, fault, change) = Self.faulty[index]
        var authenticator = authenticator()
        change(&authenticator)
        #expect(throws: fault) {
            try party.register(authenticator.register(challenge), challenge: challenge)
        }
        #expect(throws: fault) {
            try party.authenticate(
                authenticator.sign(challenge), challenge: challenge, with: try known(),
                requiresUserVerification: false)
        }
    }

    @Test("One ceremony's answer is of no use in the other")
    func otherCeremony() throws {
        var authenticator = authenticator()
        authenticator.type = "webauthn.create"
        #expect(throws: PasskeyFault.wrongType) {
            try party.authenticate(
                authenticator.sign(challenge), challenge: challenge, with: try known(),
                requiresUserVerification: false)
        }
        authenticator.type = "webauthn.get"
        #expect(throws: PasskeyFault.wrongType) {
            try party.register(authenticator.register(challenge), challenge: challenge)
        }
    }

    @Test("A user who was not verified does where a passkey is one of two, not where it is all")
    func verification() throws {
        var authenticator = authenticator()
        authenticator.flags = [.userPresent]
        let answer = authenticator.sign(challenge)
        let assertion = try party.authenticate(
            answer, challenge: challenge, with: try known(), requiresUserVerification: false)
        #expect(!assertion.isUserVerified)
        #expect(throws: PasskeyFault.userNotVerified) {
            try party.authenticate(
                answer, challenge: challenge, with: try known(), requiresUserVerification: true)
        }
        #expect(throws: PasskeyFault.userNotVerified) {
            try party.register(
                authenticator.register(challenge), challenge: challenge,
                requiresUserVerification: true)
        }
    }

    @Test("Another challenge's answer is refused, and so are another key's and another text's")
    func signature() throws {
        let other = [UInt8](repeating: 8, count: 40)
        var answer = authenticator().sign(other)
        #expect(throws: PasskeyFault.wrongChallenge) {
            try party.authenticate(
                answer, challenge: challenge, with: try known(), requiresUserVerification: true)
        }
        answer.clientData = authenticator().sign(challenge).clientData
        #expect(throws: PasskeyFault.wrongSignature) {
            try party.authenticate(
                answer, challenge: challenge, with: try known(), requiresUserVerification: true)
        }
        answer = authenticator().sign(challenge)
        answer.signature = []
        #expect(throws: PasskeyFault.wrongSignature) {
            try party.authenticate(
                answer, challenge: challenge, with: try known(), requiresUserVerification: true)
        }
    }

    @Test(
        "The counter goes up, or stays at zero",
        arguments: [
            (0, 0, true), (0, 1, true), (5, 6, true), (5, 5, false), (5, 4, false), (5, 0, false),
        ]
            as [(UInt32, UInt32, Bool)])
    func counter(before: UInt32, now: UInt32, isGood: Bool) throws {
        var authenticator = authenticator()
        authenticator.counter = now
        let answer = authenticator.sign(challenge)
        let known = try known(counter: before)
        let check = { [party, challenge] in
            try party.authenticate(
                answer, challenge: challenge, with: known, requiresUserVerification: true)
        }
        if isGood {
            #expect(try check().counter == now)
        } else {
            #expect(throws: PasskeyFault.counterWentBack) { try check() }
        }
    }

    @Test("Whether a key may be backed up never changes")
    func backup() throws {
        var authenticator = authenticator()
        authenticator.flags = [.userPresent, .userVerified, .backupEligible, .backedUp]
        let answer = authenticator.sign(challenge)
        #expect(throws: PasskeyFault.wrongBackupState) {
            try party.authenticate(
                answer, challenge: challenge, with: try known(), requiresUserVerification: true)
        }
        let assertion = try party.authenticate(
            answer, challenge: challenge, with: try known(isBackupEligible: true),
            requiresUserVerification: true)
        #expect(assertion.isBackedUp)
    }

    @Test("A key of another kind than it says is refused")
    func algorithm() throws {
        var authenticator = authenticator()
        for (algorithm, fault) in [
            (-8, .unsupportedKey), (-257, .unsupportedKey), (-35, .unsupportedKey),
            (-65535, .unsupportedKey),
        ] as [(Int64, PasskeyFault)] {
            authenticator.algorithm = algorithm
            #expect(throws: fault) {
                try party.register(authenticator.register(challenge), challenge: challenge)
            }
        }
    }

    @Test("A point that is not of the curve is no key")
    func point() throws {
        var answer = authenticator().register(challenge)
        answer.attestation[answer.attestation.count - 1] ^= 1
        #expect(throws: PasskeyFault.malformed("public key")) {
            try party.register(answer, challenge: challenge)
        }
    }

    @Test("A credential ID has 1 to 1,023 bytes")
    func identifier() throws {
        var authenticator = authenticator()
        for (count, isGood) in [(0, false), (1, true), (1023, true), (1024, false)] {
            authenticator.credential = [UInt8](repeating: 1, count: count)
            let answer = authenticator.register(challenge)
            if isGood {
                #expect(try party.register(answer, challenge: challenge).id.count == count)
            } else {
                #expect(throws: PasskeyFault.malformed("credential ID")) {
                    try party.register(answer, challenge: challenge)
                }
            }
        }
    }

    @Test(
        "A server has passkeys where browsers allow them",
        arguments: [
            ("https://mesh.example.org", "https://mesh.example.org"),
            ("https://mesh.example.org/", "https://mesh.example.org"),
            ("https://Mesh.Example.org:443", "https://mesh.example.org"),
            ("https://mesh.example.org:8443/x", "https://mesh.example.org:8443"),
            ("http://localhost:8080", "http://localhost:8080"), ("http://mesh.example.org", nil),
            ("https://192.0.2.1", nil), ("https://[2001:db8::1]:443", nil),
            ("mesh.example.org", nil),
            ("https://", nil), ("ftp://localhost", nil),
        ] as [(String, String?)])
    func serverURL(url: String, origin: String?) {
        #expect(RelyingParty(serverURL: url, name: "")?.origin == origin)
    }

    @Test("Only what Base64url writes is read")
    func base64() {
        for bytes in [[], [0], [0xFF, 0xFE], [1, 2, 3], [UInt8](0...255)] as [[UInt8]] {
            #expect(Base64URL.decode(Base64URL.encode(bytes)) == bytes)
        }
        for text in ["A", "AB", "AA==", "A+", "A/A", "AA A", "AB\u{301}", "é"] {
            #expect(Base64URL.decode(text) == nil, "\(text)")
        }
    }
}
