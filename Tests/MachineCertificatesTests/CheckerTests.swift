import Certificates
import ControlMessages
import Coordination
import Foundation
import Logging
import MachineCertificates
import NetTypes
import Testing

private let fixtures = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Fixtures/machine-certificates").path

private func file(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(filePath: "\(fixtures)/\(name)")))
}

private func identity(_ certificates: String, _ key: String) throws -> MachineIdentity {
    let certificates = try file(certificates)
    let key = try file(key)
    return try MachineIdentity(certificates: certificates.span.bytes, key: key.span.bytes)
}

private func machineKey(_ number: UInt8) -> MachineKey {
    MachineKey(Bytes32([UInt8](repeating: number, count: 32)))
}

private let now = Timestamp(rfc3339: "2027-01-01T00:00:00Z")!
private let url = "https://mesh.example.org"

/// What a test changes in a signature that would be good.
private struct Signing {
    var certificates = "p256.pem"
    var key = "p256.key"
    var scheme = MachineSignature.Scheme.v2
    var timestamp = now
    var serverURL = url
    var serverKey = MachineKey.zero
    var machine = machineKey(1)
    /// What is sent where it is not what was signed.
    var sent: String?

    func signature() throws -> MachineSignature {
        let identity = try identity(certificates, key)
        let message = MachineSignature.signedBytes(
            scheme, timestamp: timestamp, serverURL: serverURL,
            certificates: identity.certificates, serverKey: serverKey, machineKey: machine)
        let made = identity.sign(message.span.bytes)
        return MachineSignature(
            scheme: scheme, timestamp: timestamp,
            certificates: try sent.map {
                try MachineCertificatesTests.identity($0, key).certificates
            }
                ?? identity.certificates,
            signature: try #require(made))
    }
}

@Suite("What a registration's certificate comes to") struct CheckerTests {
    private func checker(
        _ edit: (inout MachineCertificateSettings) -> Void = { _ in }
    ) throws -> MachineCertificateChecker {
        var settings = MachineCertificateSettings()
        settings.mode = .required
        settings.authorities = ["\(fixtures)/root.pem"]
        edit(&settings)
        return try MachineCertificateChecker(
            settings, serverURL: url, logger: Logger(label: "test"))
    }

    private func finding(
        _ signing: Signing, _ checker: MachineCertificateChecker
    ) throws -> MachineCertificateFinding {
        checker.finding(try signing.signature(), machine: machineKey(1), at: now)
    }

    private func reason(
        _ signing: Signing, _ checker: MachineCertificateChecker
    ) throws -> String? {
        guard case .invalid(let reason, _) = try finding(signing, checker) else { return nil }
        return reason
    }

    @Test(
        "A machine's own signature gives its certificate",
        arguments: [("rsa.pem", "rsa.key"), ("p256.pem", "p256.key")])
    func valid(_ certificates: String, _ key: String) throws {
        let checker = try checker {
            $0.owner = OwnerRule(field: .alternativeEmail, suffix: "@example.org")
        }
        let signing = Signing(certificates: certificates, key: key)
        guard case .valid(let certificate) = try finding(signing, checker) else {
            Issue.record("the certificate is good")
            return
        }
        #expect(certificate.subject == "O=Bücher\\, Inc,OU=alice,CN=laptop-7")
        #expect(certificate.owner == "alice")
        #expect(certificate.signedAt == now)
        #expect(try certificate.keyHash == identity(certificates, key).leaf.keyHash)
    }

    @Test("Without a signature, or switched off, there is nothing to say")
    func absent() throws {
        #expect(try checker().finding(nil, machine: machineKey(1), at: now) == .absent)
        let off = try checker { $0.mode = .off }
        #expect(try finding(Signing(), off) == .absent)
    }

    @Test("A signature is good for its server, its machine and its certificate only")
    func bound() throws {
        let checker = try checker()
        let expected = "it was not signed with the certificate's key for this machine and \(url)"
        for signing in [
            Signing(serverURL: "https://evil.example"), Signing(serverURL: url + "/"),
            Signing(machine: machineKey(2)), Signing(serverKey: machineKey(7)),
            Signing(sent: "p256-reissued.pem"),
        ] {
            #expect(try reason(signing, checker) == expected)
        }
        // The certificate of another machine, signed with the own key.
        var swapped = try Signing().signature()
        swapped.certificates = try identity("stranger.pem", "stranger.key").certificates
        let result = checker.finding(swapped, machine: machineKey(1), at: now)
        #expect(result == .invalid(reason: expected, isRevoked: false))
        // The own certificate behind that of another machine: only the first one counts.
        var stacked = try Signing().signature()
        stacked.certificates =
            try identity("stranger.pem", "stranger.key").certificates + stacked.certificates
        let second = checker.finding(stacked, machine: machineKey(1), at: now)
        #expect(second == .invalid(reason: expected, isRevoked: false))
    }

    @Test("The time of a signature has to be near the server's, on either side")
    func fresh() throws {
        let checker = try checker()
        for seconds in [-300, 0, 300] as [Int64] {
            #expect(try reason(Signing(timestamp: now + .seconds(seconds)), checker) == nil)
        }
        for seconds in [-86_400, -301, 301, 86_400] as [Int64] {
            let reason = try reason(Signing(timestamp: now + .seconds(seconds)), checker)
            #expect(reason?.hasSuffix("set the machine's clock") == true)
        }
        // A time that was changed afterwards breaks the signature.
        var moved = try Signing(timestamp: now + .seconds(-4000)).signature()
        moved.timestamp = now
        guard case .invalid = checker.finding(moved, machine: machineKey(1), at: now) else {
            Issue.record("the time is signed")
            return
        }
    }

    @Test("Fractions of a second and offsets are not part of what is signed")
    func fractions() throws {
        var signature = try Signing().signature()
        signature.timestamp = Timestamp(rfc3339: "2027-01-01T02:00:00.75+02:00")!
        guard case .valid = try checker().finding(signature, machine: machineKey(1), at: now) else {
            Issue.record("the second is the same")
            return
        }
    }

    @Test("The old signature type counts where it is accepted, an unknown one never")
    func schemes() throws {
        let signing = Signing(scheme: .v1)
        #expect(
            try reason(signing, checker())
                == "signatures of the old type signature-v1 are not accepted here")
        #expect(try reason(signing, checker { $0.acceptsVersion1 = true }) == nil)
        var unknown = try Signing().signature()
        unknown.scheme = nil
        let result = try checker().finding(unknown, machine: machineKey(1), at: now)
        #expect(
            result
                == .invalid(
                    reason: "its signature is of a type that is not known here", isRevoked: false))
    }

    @Test("A blocked key counts in no certificate, and takes what it certified with it")
    func blocked() throws {
        let leaf = try identity("p256.pem", "p256.key").leaf.keyHash
        let blocked = MachineCertificateFinding.invalid(
            reason: "its key is blocked", isRevoked: true)
        let checker = try checker { $0.blockedKeys = [leaf] }
        for name in ["p256.pem", "p256-reissued.pem", "compressed.pem"] {
            #expect(try finding(Signing(certificates: name), checker) == blocked)
        }
        #expect(try reason(Signing(certificates: "rsa.pem", key: "rsa.key"), checker) == nil)
        let pem = try file("issuing.pem") + file("issuing.key")
        let issuing = try file("issuing.key")
        // The issuing authority's own key: read like a machine's.
        let authority = try MachineIdentity(
            certificates: pem.span.bytes, key: issuing.span.bytes
        ).leaf.keyHash
        let above = try self.checker { $0.blockedKeys = [authority] }
        #expect(try finding(Signing(certificates: "rsa.pem", key: "rsa.key"), above) == blocked)
        #expect(try reason(Signing(certificates: "direct.pem"), above) == nil)
    }

    @Test("A certificate of a revocation list is refused as revoked")
    func revoked() throws {
        let checker = try checker { $0.revocationLists = ["\(fixtures)/issuing.crl"] }
        #expect(
            try finding(Signing(certificates: "p256-reissued.pem"), checker)
                == .invalid(reason: "the certificate was revoked", isRevoked: true))
        #expect(try reason(Signing(), checker) == nil)
    }

    @Test("Changed files count at once; broken ones do not")
    func reload() throws {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "skein-machine-certificates-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer {
            // A left-over folder of a test harms nobody.
            try? FileManager.default.removeItem(at: folder)
        }
        let list = folder.appending(path: "list.crl")
        let keys = folder.appending(path: "blocked")
        try Data(file("issuing.crl")).write(to: list)
        try Data("# nobody yet\n\n".utf8).write(to: keys)
        let checker = try checker {
            $0.revocationLists = [list.path]
            $0.blockedKeysFile = keys.path
        }
        let signature = try Signing().signature()
        func finding(_ second: Int64) -> MachineCertificateFinding {
            checker.finding(signature, machine: machineKey(1), at: now + .seconds(second))
        }
        func isValid(_ finding: MachineCertificateFinding) -> Bool {
            if case .valid = finding { true } else { false }
        }
        #expect(isValid(finding(0)))
        let hash = try identity("p256.pem", "p256.key").leaf.keyHash
        try Data("\(Hexadecimal.encode(hash.array)) # lost\n".utf8).write(to: keys)
        #expect(finding(1) == .invalid(reason: "its key is blocked", isRevoked: true))
        try Data("nonsense".utf8).write(to: keys)
        #expect(finding(2) == .invalid(reason: "its key is blocked", isRevoked: true))
        try Data("".utf8).write(to: keys)
        #expect(isValid(finding(3)))
        try Data(file("stale.crl")).write(to: list)
        #expect(
            finding(4)
                == .invalid(reason: CertificateFault.staleRevocationList.text, isRevoked: false))
    }

    @Test("A file that cannot be used is named with what is wrong")
    func files() throws {
        func fault(_ edit: (inout MachineCertificateSettings) -> Void) -> String? {
            do {
                _ = try checker(edit)
                return nil
            } catch {
                return "\(error)"
            }
        }
        #expect(
            fault { $0.authorities = ["/nowhere/ca.pem"] }
                == "/nowhere/ca.pem: there is no such file")
        #expect(
            fault { $0.authorities.append("\(fixtures)/p256.pem") }
                == "\(fixtures)/p256.pem: a certificate in it is not one of an authority (CA)")
        #expect(
            fault { $0.revocationLists = ["\(fixtures)/root.pem"] }
                == "\(fixtures)/root.pem: there is no revocation list in it")
        #expect(
            fault { $0.blockedKeysFile = "\(fixtures)/root.pem" }
                == "\(fixtures)/root.pem: line 1 is no SHA-256 of a public key (64 hexadecimal digits)"
        )
    }

    @Test("A rule takes the user's name out of one field, and out of nothing ambiguous")
    func owners() throws {
        func owner(_ rule: OwnerRule, _ certificates: String = "p256.pem") throws -> String? {
            let der = try identity(certificates, "p256.key").certificates
            return rule.owner(in: try CertificateChain(der: der.span.bytes))
        }
        #expect(try owner(OwnerRule(field: .organizationalUnit)) == "alice")
        #expect(try owner(OwnerRule(field: .commonName, prefix: "laptop-")) == "7")
        #expect(try owner(OwnerRule(field: .commonName, prefix: "laptop-7")) == nil)
        #expect(try owner(OwnerRule(field: .commonName, prefix: "desktop-")) == nil)
        #expect(try owner(OwnerRule(field: .alternativeDNS, suffix: ".example.com")) == nil)
        #expect(try owner(OwnerRule(field: .userID)) == nil)
        #expect(try owner(OwnerRule(field: .commonName), "two-names.pem") == nil)
        #expect(try owner(OwnerRule(field: .commonName), "odd-name.pem") == nil)
    }
}
