import ControlMessages
import Coordination
import NetTypes
import Testing

@Suite struct RegistrationTests {
    private func request(_ number: Int, key: String? = nil) -> RegisterRequest {
        RegisterRequest(nodeKey: nodeKey(number), authKey: key, hostinfo: hostinfo("host\(number)"))
    }

    @Test func aKeyLetsAMachineIn() {
        let network = TestNetwork()
        let key = network.key(user: "ben")
        let response = network.respond(request(1, key: key), machine: 1)
        #expect(response.error == "")
        #expect(response.isMachineAuthorized)
        #expect(response.authURL == "")
        #expect(response.user.displayName == "Ben B.")
        #expect(response.login.loginName == "ben")
        let node = network.record(1)
        #expect(node?.name == "host1")
        #expect(node?.ipv4 == IPv4Address(100, 64, 0, 1))
        #expect(node?.ipv6 == IPv6Address(high: 0xFD7A_115C_A1E0_0000, low: 1))
        #expect(node?.capabilityVersion == 133)
        #expect(node?.registration == .preAuthKey)
    }

    @Test func keysHaveOurFormAndOnlyTheirHashIsKept() {
        let network = TestNetwork()
        let text = network.key()
        let parts = text.split(separator: "-").map(String.init)
        #expect(parts.count == 4)
        #expect(Array(parts.prefix(2)) == ["skein", "auth"])
        #expect(parts[3].count == 64)
        let stored = String(decoding: network.log.last!.jsonBytes, as: UTF8.self)
        #expect(!stored.contains(parts[3]))
        #expect(stored.contains(parts[2]))
    }

    @Test func aSingleUseKeyIsGoodOnceButItsNodeMaySendItAgain() {
        let network = TestNetwork()
        let key = network.key()
        _ = network.respond(request(1, key: key), machine: 1)
        let again = network.respond(request(1, key: key), machine: 1)
        #expect(again.error == "" && again.isMachineAuthorized)
        let other = network.respond(request(2, key: key), machine: 2)
        #expect(other.error.contains("used already"))
        #expect(network.coordinator.state.nodes.count == 1)
    }

    @Test func aSpentKeyDoesNotReviveAnExpiredNode() throws {
        let network = TestNetwork()
        let key = network.key()
        _ = network.respond(request(1, key: key), machine: 1)
        network.store(try network.coordinator.expireNode("host1", now: network.now.wall))
        let response = network.respond(request(1, key: key), machine: 1)
        #expect(response.error.contains("used already"))
    }

    @Test func aReusableKeyLetsManyIn() {
        let network = TestNetwork()
        let key = network.key { $0.isReusable = true }
        for number in 1...20 {
            let response = network.respond(request(number, key: key), machine: number)
            #expect(response.error == "")
        }
        #expect(network.coordinator.state.nodes.count == 20)
    }

    @Test func badKeysAreRefusedWithTheReason() throws {
        let network = TestNetwork()
        let expiry = network.now.wall + .minutes(1)
        let expiring = network.key { $0.expiry = expiry }
        let revoked = network.key()
        network.store(try network.coordinator.revokePreAuthKey(revoked))
        network.advance(by: .minutes(1))
        #expect(network.respond(request(1, key: expiring), machine: 1).error.contains("expired"))
        #expect(network.respond(request(1, key: revoked), machine: 1).error.contains("revoked"))
        #expect(
            network.respond(request(1, key: "nonsense"), machine: 1).error.contains("not valid"))
        #expect(network.coordinator.state.nodes.isEmpty)
    }

    @Test func anImportedKeyOfAnyFormWorks() throws {
        let network = TestNetwork()
        let text = "hskey-auth-TESTONLY-0000-0000"
        let decision = try network.coordinator.createPreAuthKey(
            user: "anna", Coordinator.PreAuthKeyOptions(), imported: text, at: network.now.wall,
            random: &network.random)
        network.store(decision)
        #expect(network.respond(request(1, key: text), machine: 1).error == "")
        #expect(throws: AdministrationRefusal.secretTooShort) {
            try TestNetwork.importing("short")
        }
    }

    @Test func aKeyWithTagsGivesANodeOfNoUserThatNeverExpires() {
        let network = TestNetwork { $0.keyLifetime = .minutes(60) }
        let key = network.key { $0.tags = ["tag:web"] }
        let response = network.respond(request(1, key: key), machine: 1)
        #expect(response.login.loginName == "tagged-devices")
        let node = network.record(1)
        #expect(node?.tags == ["tag:web"])
        #expect(node?.user == nil)
        #expect(node?.expiry == nil)
        #expect(network.map(1).userProfiles?.map(\.id) == [.taggedDevices])
    }

    @Test func keysLastAsLongAsTheirUserOrTagSays() throws {
        let network = TestNetwork {
            $0.keyLifetime = .minutes(60)
            $0.keyLifetimes = [
                "anna": .minutes(10), "tag:kiosk": .minutes(5), "tag:web": .minutes(7),
                "tag:always": .zero,
            ]
        }
        func lifetime(_ index: Int) -> Nanoseconds? {
            network.record(index)?.expiry.map {
                .seconds($0.unixSeconds - network.now.wall.unixSeconds)
            }
        }
        let own = network.key { _ in }
        #expect(network.respond(request(1, key: own), machine: 1).error == "")
        #expect(lifetime(1) == .minutes(10))
        let bens = network.key(user: "ben") { _ in }
        #expect(network.respond(request(4, key: bens), machine: 4).error == "")
        #expect(lifetime(4) == .minutes(60))
        let tagged = network.key { $0.tags = ["tag:kiosk", "tag:web"] }
        #expect(network.respond(request(2, key: tagged), machine: 2).error == "")
        #expect(lifetime(2) == .minutes(5))
        let always = network.key { $0.tags = ["tag:always"] }
        #expect(network.respond(request(3, key: always), machine: 3).error == "")
        #expect(lifetime(3) == nil)
    }

    @Test func requestedTagsMustBeThoseOfTheKey() {
        let network = TestNetwork()
        let key = network.key {
            $0.tags = ["tag:web", "tag:db"]
            $0.isReusable = true
        }
        var request = request(1, key: key)
        request.hostinfo?.requestTags = ["tag:web"]
        #expect(network.respond(request, machine: 1).error == "")
        request = self.request(2, key: key)
        request.hostinfo?.requestTags = ["tag:admin"]
        #expect(network.respond(request, machine: 2).error.contains("tag:admin"))
        request.authKey = nil
        #expect(network.respond(request, machine: 2).error.contains("tag:admin"))
    }

    @Test func clientsThatAreTooOldAreTold() {
        let network = TestNetwork()
        let key = network.key()
        guard
            case .respond(let response) = network.send(
                request(1, key: key), machine: 1, capabilityVersion: 112)
        else {
            Issue.record("expected an answer")
            return
        }
        #expect(response.error.contains("too old"))
        for version in [113, 145, 300] {
            let key = network.key()
            _ = network.send(
                request(version, key: key), machine: version, capabilityVersion: version)
            #expect(network.record(version)?.capabilityVersion == version)
        }
    }

    @Test func anotherMachineCannotTakeANodeKey() {
        let network = TestNetwork()
        network.join(1)
        let before = network.record(1)
        let key = network.key()
        for attempt in [request(1), request(1, key: key)] {
            let response = network.respond(attempt, machine: 2)
            #expect(response.error.contains("another machine"))
        }
        var logout = request(1)
        logout.expiry = Timestamp(unixSeconds: 123)
        #expect(network.respond(logout, machine: 2).error.contains("another machine"))
        #expect(network.record(1) == before)
    }

    @Test func aRestartIsAnsweredFromTheState() {
        let network = TestNetwork()
        network.join(1)
        let changes = network.log.count
        var restart = request(1)
        restart.followup = "https://mesh.example.org/register/lost"
        let response = network.respond(restart, machine: 1)
        #expect(response.isMachineAuthorized && response.authURL == "")
        #expect(response.login.loginName == "anna")
        #expect(network.log.count == changes)
    }

    @Test func loggingOutExpiresTheKeyEvenWhenAnAuthKeyIsSent() {
        let network = TestNetwork()
        let key = network.key { $0.isReusable = true }
        _ = network.respond(request(1, key: key), machine: 1)
        var logout = request(1, key: key)
        logout.expiry = Timestamp(unixSeconds: 123)
        let response = network.respond(logout, machine: 1)
        #expect(response.isNodeKeyExpired && !response.isMachineAuthorized)
        let now = network.now.wall
        #expect(network.record(1)?.isExpired(at: now) == true)
        // With the old key it is told to make a new one; with that, it is the same node again.
        #expect(network.respond(request(1), machine: 1).isNodeKeyExpired)
        let old = network.record(1)
        var comeback = request(2, key: key)
        comeback.hostinfo = hostinfo("host1")
        _ = network.respond(comeback, machine: 1)
        let new = network.record(2)
        #expect(new?.id == old?.id && new?.ipv4 == old?.ipv4 && new?.name == old?.name)
        #expect(new?.expiry == nil)
        #expect(network.record(1) == nil)
    }

    @Test func whoeverLogsOutIsOfflineForItsPeersAtOnce() {
        let network = TestNetwork()
        network.join(1)
        network.join(2)
        network.connect(1)
        network.connect(2)
        #expect(network.map(2).peers?.first?.isOnline == true)
        _ = network.takeEvents()
        var logout = request(1)
        logout.expiry = Timestamp(unixSeconds: 123)
        _ = network.respond(logout, machine: 1)
        let told = network.delta(2, network.takeEvents())?.peersChanged?.first
        #expect(told?.isExpired == true)
        #expect(told?.isOnline == false)
        #expect(told?.lastSeen == network.now.wall)
    }

    @Test func anEphemeralNodeGoesWhenItLogsOut() {
        let network = TestNetwork()
        network.join(1) { $0.isEphemeral = true }
        var logout = request(1)
        logout.expiry = Timestamp(unixSeconds: 123)
        #expect(network.respond(logout, machine: 1).isNodeKeyExpired)
        #expect(network.coordinator.state.nodes.isEmpty)
        // Logging out twice is harmless.
        #expect(network.respond(logout, machine: 1).isNodeKeyExpired)
    }

    @Test func aNodeMayShortenItsExpiryButNotExtendIt() {
        let network = TestNetwork { $0.keyLifetime = .minutes(60) }
        network.join(1)
        let limit = network.now.wall + .minutes(60)
        #expect(network.record(1)?.expiry == limit)
        var change = request(1)
        change.expiry = limit + .minutes(1)
        #expect(network.respond(change, machine: 1).error.contains("extend"))
        change.expiry = limit + Nanoseconds.minutes(-1)
        #expect(network.respond(change, machine: 1).error == "")
        #expect(network.record(1)?.expiry == change.expiry)
    }

    @Test func theRequestedExpiryOfANewNodeCanOnlyBeSooner() {
        let network = TestNetwork { $0.keyLifetime = .minutes(60) }
        let limit = network.now.wall + .minutes(60)
        for (number, minutes) in [(1, 30), (2, 90)] {
            var request = request(number, key: network.key())
            request.expiry = network.now.wall + .minutes(Int64(minutes))
            _ = network.respond(request, machine: number)
            let expected = min(request.expiry, limit)
            #expect(network.record(number)?.expiry == expected)
        }
    }

    @Test func rotationKeepsTheNode() {
        let network = TestNetwork()
        network.join(1)
        network.tell(1) { $0.endpoints = [Endpoint("192.0.2.1:1")!] }
        let old = network.record(1)!
        var rotation = request(2, key: network.key())
        rotation.oldNodeKey = nodeKey(1)
        rotation.hostinfo = hostinfo("host1")
        #expect(network.respond(rotation, machine: 1).error == "")
        let new = network.record(2)!
        #expect(new.id == old.id && new.addresses == old.addresses && new.name == old.name)
        #expect(network.record(1) == nil)
        #expect(network.coordinator.state.nodes.count == 1)
    }

    @Test func theSameMachineOfAnotherUserIsAnotherNode() {
        let network = TestNetwork()
        network.join(1)
        let key = network.key(user: "ben")
        _ = network.respond(request(2, key: key), machine: 1)
        let state = network.coordinator.state
        #expect(state.nodes(machine: machineKey(1)).count == 2)
        #expect(network.record(1)?.ipv4 != network.record(2)?.ipv4)
    }

    @Test func aKeyIsNeverSharedByTwoNodes() {
        let network = TestNetwork()
        let first = network.join(1)
        let key = network.key(user: "ben")
        _ = network.takeEvents()
        // The same machine and node key, now for another user.
        _ = network.respond(request(1, key: key), machine: 1)
        let second = network.record(1)!
        #expect(second.id != first.id)
        #expect(network.coordinator.state.nodes.count == 1)
        // Removal and addition reach peers in one message.
        network.join(9)
        let delta = network.delta(9, network.takeEvents())
        #expect(delta?.peersRemoved == [first.id])
        #expect(delta?.peersChanged?.map(\.id) == [second.id])
    }

    @Test func aTaggedNodeStaysTaggedWithAUsersKey() {
        let network = TestNetwork()
        network.join(1) { $0.tags = ["tag:web"] }
        _ = network.respond(request(2, key: network.key()), machine: 1)
        let node = network.record(2)
        #expect(node?.tags == ["tag:web"] && node?.user == nil)
    }

    @Test func aUsersNodeBecomesTaggedWithATaggedKey() {
        let network = TestNetwork { $0.keyLifetime = .minutes(60) }
        let before = network.join(1)
        let key = network.key { $0.tags = ["tag:web"] }
        _ = network.respond(request(1, key: key), machine: 1)
        let node = network.record(1)
        #expect(node?.id == before.id && node?.tags == ["tag:web"])
        #expect(node?.user == nil && node?.expiry == nil)
    }

    @Test func exhaustedAddressesAreAnError() {
        let network = TestNetwork { $0.ipv4Range = IPPrefix("100.64.0.0/30")! }
        network.join(1)
        network.join(2)
        let response = network.respond(request(3, key: network.key()), machine: 3)
        #expect(response.error.contains("no free address"))
        // The key was not used up by it.
        #expect(network.coordinator.state.sortedPreAuthKeys.last?.used == nil)
    }

    // MARK: Logins that wait

    @Test func aMachineWithoutKeyWaitsForApproval() throws {
        let network = TestNetwork()
        let response = network.respond(request(1), machine: 1)
        #expect(response.authURL.hasPrefix("https://mesh.example.org/register/"))
        #expect(!response.isMachineAuthorized)
        var followup = request(1)
        followup.followup = response.authURL
        let id = PendingLoginID(response.authURL)
        #expect(id.text.count == 24)
        #expect(network.send(followup, machine: 1) == .wait(id))
        // Asking anew is answered by the same URL.
        #expect(network.respond(request(1), machine: 1).authURL == response.authURL)

        _ = network.takeEvents()
        network.store(
            try network.coordinator.approveLogin(
                PendingLoginID(response.authURL), user: "ben", at: network.now.wall))
        #expect(network.takeEvents().contains(.loginSettled(id)))
        let done = network.respond(followup, machine: 1)
        #expect(done.isMachineAuthorized && done.login.loginName == "ben")
        #expect(network.record(1)?.registration == .approval)
        #expect(throws: AdministrationRefusal.unknownLogin(id.text)) {
            try network.approve(id, user: "ben")
        }
    }

    @Test func anUnknownFollowupGetsANewURL() {
        let network = TestNetwork()
        var followup = request(1)
        followup.followup = "https://mesh.example.org/register/gone"
        let response = network.respond(followup, machine: 1)
        #expect(response.authURL.hasPrefix("https://mesh.example.org/register/"))
        #expect(response.authURL != followup.followup)
    }

    @Test func anotherMachineCannotFollowALogin() {
        let network = TestNetwork()
        let url = network.respond(request(1), machine: 1).authURL
        var followup = request(2)
        followup.followup = url
        let response = network.respond(followup, machine: 2)
        #expect(response.authURL != "" && response.authURL != url)
    }

    @Test func aRejectedMachineIsToldSo() throws {
        let network = TestNetwork()
        let url = network.respond(request(1), machine: 1).authURL
        let events = try network.coordinator.rejectLogin(PendingLoginID(url))
        #expect(events == [.loginSettled(PendingLoginID(url))])
        var followup = request(1)
        followup.followup = url
        #expect(network.respond(followup, machine: 1).error.contains("refused"))
        #expect(network.respond(request(1), machine: 1).authURL != url)
    }

    @Test func waitingLoginsAreForgottenAfterFifteenMinutes() {
        let network = TestNetwork()
        let url = network.respond(request(1), machine: 1).authURL
        network.advance(by: .minutes(15))
        #expect(network.takeEvents().contains(.loginSettled(PendingLoginID(url))))
        #expect(network.coordinator.waitingLogins.isEmpty)
    }

    @Test func theNumberOfWaitingLoginsIsBounded() {
        let network = TestNetwork { $0.pendingLoginCapacity = 10 }
        for number in 1...30 { _ = network.respond(request(number), machine: number) }
        let waiting = network.coordinator.waitingLogins.map(\.nodeKey)
        #expect(waiting == (21...30).map { nodeKey($0) })
        // A machine that tries again and again has one.
        for number in 100...120 { _ = network.respond(request(number), machine: 1) }
        #expect(network.coordinator.waitingLogins.count { $0.machineKey == machineKey(1) } == 1)
    }
}

extension TestNetwork {
    static func importing(_ text: String) throws(AdministrationRefusal) {
        let network = TestNetwork()
        _ = try network.coordinator.createPreAuthKey(
            user: "anna", Coordinator.PreAuthKeyOptions(), imported: text, at: network.now.wall,
            random: &network.random)
    }

    func approve(_ id: PendingLoginID, user: String) throws(AdministrationRefusal) {
        _ = try coordinator.approveLogin(id, user: user, at: now.wall)
    }
}
