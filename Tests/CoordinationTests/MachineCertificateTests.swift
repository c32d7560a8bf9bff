import ControlMessages
import Coordination
import NetTypes
import Testing

@Suite("Who may join with a machine certificate") struct MachineCertificateTests {
    private func network(
        _ mode: MachineCertificateMode, namesOwners: Bool = false
    ) -> TestNetwork {
        TestNetwork {
            $0.machineCertificates = mode
            $0.machineCertificatesNameOwners = namesOwners
            $0.keyLifetime = .seconds(3600)
        }
    }

    private func certificate(
        _ network: TestNetwork, owner: String? = "anna", signed: Int64 = 0
    ) -> MachineCertificate {
        MachineCertificate(
            subject: "CN=laptop-7", keyHash: machineKey(7).bytes, serialHash: machineKey(8).bytes,
            notAfter: network.now.wall + .seconds(86_400),
            signedAt: network.now.wall + .seconds(signed), owner: owner)
    }

    private let bad = MachineCertificateFinding.invalid(reason: "it is bad", isRevoked: false)
    private let revoked = MachineCertificateFinding.invalid(
        reason: "it is revoked", isRevoked: true)
    private let isRequired =
        "this network admits machines with a certificate only: run 'skein up "
        + "--machine-cert FILE --machine-key FILE'"

    private func answer(
        _ network: TestNetwork, _ finding: MachineCertificateFinding, node: Int = 1,
        authKey: String? = nil, followup: String = "", machine: Int = 1
    ) -> RegisterResponse {
        let request = RegisterRequest(
            nodeKey: nodeKey(node), authKey: authKey, followup: followup,
            hostinfo: hostinfo("host"))
        let decision = network.coordinator.register(
            request, from: machineKey(machine), capabilityVersion: 133, certificate: finding,
            at: network.now, random: &network.random)
        switch network.store(decision) {
        case .respond(let response): return response
        case .wait(let id): return RegisterResponse(error: "waits for \(id)")
        }
    }

    @Test("Required: neither a key nor a login lets in a machine without a good certificate")
    func required() {
        let network = network(.required)
        #expect(answer(network, .absent, authKey: network.key()).error == isRequired)
        #expect(answer(network, .absent).error == isRequired)
        #expect(answer(network, .absent, followup: "https://x/register/1").error == isRequired)
        for finding in [bad, revoked] {
            #expect(
                answer(network, finding, authKey: network.key()).error.hasSuffix("it is bad")
                    || answer(network, finding).error.hasSuffix("it is revoked"))
        }
        #expect(network.coordinator.state.nodes.isEmpty)
        #expect(network.coordinator.waitingLogins.isEmpty)
    }

    @Test("Required: a certificate alone is not enough either")
    func beside() {
        let network = network(.required)
        let response = answer(network, .valid(certificate(network)))
        #expect(response.authURL.contains("/register/"))
        #expect(network.coordinator.state.nodes.isEmpty)
        #expect(answer(network, .valid(certificate(network)), authKey: "wrong").error != "")
    }

    @Test("Required: certificate and key let in, and the record tells of the certificate")
    func joins() {
        let network = network(.required)
        let certificate = certificate(network)
        #expect(answer(network, .valid(certificate), authKey: network.key()).error == "")
        #expect(network.record(1)?.certificate == certificate)
        #expect(network.record(1)?.registration == .preAuthKey)
    }

    @Test("Required: an approved login carries its certificate, unless that has expired meanwhile")
    func approval() throws {
        let network = network(.required)
        var certificate = certificate(network)
        certificate.notAfter = network.now.wall + .seconds(60)
        let url = answer(network, .valid(certificate)).authURL
        let id = PendingLoginID(url)
        network.now.wall = network.now.wall + .seconds(61)
        #expect(throws: AdministrationRefusal.self) {
            try network.coordinator.approveLogin(id, user: "anna", at: network.now.wall)
        }
        network.now.wall = network.now.wall + .seconds(-30)
        let node = network.store(
            try network.coordinator.approveLogin(id, user: "anna", at: network.now.wall))
        #expect(node.certificate == certificate)
        let followup = answer(network, .valid(certificate), followup: url)
        #expect(followup.isMachineAuthorized)
    }

    @Test("Required: a restart with the same key needs no certificate, a new key does")
    func rotation() {
        let network = network(.required)
        let key = network.key { $0.isReusable = true }
        #expect(answer(network, .valid(certificate(network)), authKey: key).error == "")
        #expect(answer(network, .absent).isMachineAuthorized)
        #expect(answer(network, .absent, authKey: key).isMachineAuthorized)
        #expect(answer(network, .absent, node: 2, authKey: key).error == isRequired)
        #expect(answer(network, bad, node: 2, authKey: key).error.hasSuffix("it is bad"))
        #expect(network.record(1) != nil)
        let renewed = MachineCertificateFinding.valid(certificate(network, signed: 5))
        #expect(answer(network, renewed, node: 2, authKey: key).error == "")
        #expect(network.record(1) == nil)
        #expect(network.record(2) != nil)
    }

    @Test("Required: an expired key is renewed with a certificate only")
    func renewal() {
        let network = network(.required)
        let key = network.key { $0.isReusable = true }
        #expect(answer(network, .valid(certificate(network)), authKey: key).error == "")
        network.advance(by: .seconds(3601))
        #expect(answer(network, .absent).isNodeKeyExpired)
        #expect(answer(network, .absent, authKey: key).error == isRequired)
        #expect(answer(network, .valid(certificate(network)), authKey: key).error == "")
        #expect(network.record(1)?.isExpired(at: network.now.wall) == false)
    }

    @Test("A revoked certificate is refused at a restart too, in every mode but off")
    func revocation() {
        for mode in MachineCertificateMode.allCases {
            let network = network(mode)
            let key = network.key { $0.isReusable = true }
            #expect(answer(network, .valid(certificate(network)), authKey: key).error == "")
            let isRefused = answer(network, revoked).error.hasSuffix("it is revoked")
            #expect(isRefused == (mode != .off))
            let isKeyRefused = !answer(network, revoked, node: 2, authKey: key).error.isEmpty
            #expect(isKeyRefused == (mode != .off))
        }
    }

    @Test("A machine whose certificate is bad can still log out")
    func logout() {
        let network = network(.required)
        #expect(answer(network, .valid(certificate(network)), authKey: network.key()).error == "")
        let request = RegisterRequest(nodeKey: nodeKey(1), expiry: Timestamp(unixSeconds: 123))
        let decision = network.coordinator.register(
            request, from: machineKey(1), capabilityVersion: 133, certificate: revoked,
            at: network.now, random: &network.random)
        guard case .respond(let response) = network.store(decision) else {
            Issue.record("a logout is answered at once")
            return
        }
        #expect(response.isNodeKeyExpired)
        #expect(network.record(1)?.isExpired(at: network.now.wall) == true)
    }

    @Test("A signature brings in one node key")
    func replay() {
        let network = network(.required)
        let key = network.key { $0.isReusable = true }
        let first = MachineCertificateFinding.valid(certificate(network))
        #expect(answer(network, first, authKey: key).error == "")
        let again = answer(network, first, node: 2, authKey: key)
        #expect(again.error.hasSuffix("its signature is not newer than the last one"))
        let older = MachineCertificateFinding.valid(certificate(network, signed: -1))
        #expect(!answer(network, older, node: 2, authKey: key).error.isEmpty)
        // Another machine has signatures of its own.
        #expect(answer(network, first, node: 3, authKey: key, machine: 3).error == "")
    }

    @Test("Required, with a rule for owners: the node belongs to the user the certificate names")
    func boundOwner() {
        let network = network(.required, namesOwners: true)
        let key = network.key(user: "ben")
        let wrong = answer(network, .valid(certificate(network)), authKey: key)
        #expect(wrong.error == "the machine certificate names another user as owner")
        let nobody = MachineCertificateFinding.valid(certificate(network, owner: nil))
        #expect(!answer(network, nobody, authKey: key).error.isEmpty)
        let right = MachineCertificateFinding.valid(certificate(network, owner: "ben"))
        #expect(answer(network, right, authKey: key).error == "")
        let tagged = network.key { $0.tags = ["tag:server"] }
        #expect(answer(network, nobody, node: 2, authKey: tagged, machine: 2).error == "")
    }

    @Test("Sufficient: the certificate's owner gets the machine, without any key")
    func sufficient() {
        let network = network(.sufficient, namesOwners: true)
        let response = answer(network, .valid(certificate(network)))
        #expect(response.isMachineAuthorized)
        #expect(response.login.loginName == "anna")
        #expect(network.record(1)?.registration == .machineCertificate)
        // After the key expired, it comes back in the same way.
        network.advance(by: .seconds(3601))
        #expect(answer(network, .absent).isNodeKeyExpired)
        #expect(answer(network, .valid(certificate(network)), node: 2).isMachineAuthorized)
        #expect(network.coordinator.state.nodes.count == 1)
    }

    @Test("Sufficient: other proofs are good without a certificate, and beside a bad one")
    func sufficientOthers() {
        let network = network(.sufficient, namesOwners: true)
        #expect(answer(network, .absent, authKey: network.key()).error == "")
        #expect(answer(network, bad, node: 2, authKey: network.key(), machine: 2).error == "")
        #expect(network.record(2)?.certificate == nil)
        #expect(answer(network, .absent, node: 3, machine: 3).authURL != "")
        #expect(answer(network, bad, node: 4, machine: 4).error.hasSuffix("it is bad"))
    }

    @Test("Sufficient: an owner who is no user lets nobody in")
    func strangers() {
        let network = network(.sufficient, namesOwners: true)
        let stranger = MachineCertificateFinding.valid(certificate(network, owner: "mallory"))
        #expect(
            answer(network, stranger).error
                == "the machine certificate names 'mallory' as owner, who is no user of this network"
        )
        let nobody = MachineCertificateFinding.valid(certificate(network, owner: nil))
        #expect(
            answer(network, nobody).error
                == "the machine certificate names no user of this network")
        #expect(network.coordinator.state.nodes.isEmpty)
    }

    @Test("A record keeps its certificate when it is stored and read")
    func coding() throws {
        let network = network(.required)
        #expect(answer(network, .valid(certificate(network)), authKey: network.key()).error == "")
        let record = try #require(network.record(1))
        #expect(try NodeRecord(jsonBytes: record.jsonBytes) == record)
    }
}
