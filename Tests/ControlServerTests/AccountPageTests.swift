import ControlClient
import ControlMessages
import Coordination
import NetTypes
import SignIn
import Testing

@testable import ControlServer

@Suite(.timeLimit(.minutes(2))) struct AccountPageTests {
    private func node(_ test: TestServer, _ number: UInt8, user: Int64) async throws {
        var record = NodeRecord(
            id: NodeID(Int64(number)),
            machineKey: MachineKey(Bytes32([UInt8](repeating: number, count: 32))),
            nodeKey: NodeKey(Bytes32([UInt8](repeating: number, count: 32))),
            name: "node\(number)", created: .zero, registration: .signIn)
        record.user = UserID(user)
        let node = record
        try await test.server.owner.perform { _, _, _ in Decision((), changes: [.node(node)]) }
    }

    @Test("A member changes machines of their own, and no others")
    func machines() async throws {
        let test = try await TestServer()
        try await test.addUser("anna")
        try await test.addUser("ben")
        try await node(test, 1, user: 1)
        try await node(test, 2, user: 2)
        var browser = TestBrowser(port: test.server.port)
        _ = try await browser.signIn("anna")
        let page = try await browser.follow()
        #expect(page.body.contains("node1") && !page.body.contains("node2"))
        let token = page.formToken
        let others = try await browser.post(
            "/account/machines/2", [("action", "remove")], token: token)
        #expect(others.status == 403)
        #expect(
            try await browser.post(
                "/account/machines/1", [("action", "rename"), ("name", "Web 1")], token: token
            ).status == 409)
        #expect(
            try await browser.post(
                "/account/machines/1", [("action", "rename"), ("name", "web")], token: token
            ).status == 303)
        #expect(
            try await browser.post("/account/machines/1", [("action", "expire")], token: token)
                .status == 303)
        #expect(try await browser.get("/account").body.contains("expired"))
        #expect(
            try await browser.post("/account/machines/1", [("action", "remove")], token: token)
                .status == 303)
        let names = await test.server.owner.read { coordinator, _ in
            coordinator.state.sortedNodes.map(\.name)
        }
        #expect(names == ["node2"])
        let actions = test.store.audit.filter { $0.initiator.name == "anna" }.map(\.action)
        #expect(actions == [.signIn, .nodeRenamed, .nodeExpiryChanged, .nodeRemoved])
        await test.stop()
    }

    @Test("Another browser is signed out from the list of sessions")
    func sessions() async throws {
        let test = try await TestServer()
        try await test.addUser("anna")
        try await test.addUser("ben")
        var home = TestBrowser(port: test.server.port)
        var work = TestBrowser(port: test.server.port)
        var stranger = TestBrowser(port: test.server.port)
        _ = try await home.signIn("anna")
        _ = try await work.signIn("anna")
        _ = try await stranger.signIn("ben")
        try await home.follow()
        let other = home.between("action=\"/account/sessions/", "\"")
        #expect(other.count == 64)
        try await stranger.follow()
        try await stranger.post("/account/sessions/\(other)", [])
        #expect(try await work.get("/account").status == 200)
        try await home.post("/account/sessions/\(other)", [], token: home.last.formToken)
        #expect(try await work.get("/account").status == 303)
        try await home.get("/account")
        try await home.post("/sign-out", [])
        #expect(home.cookies["skein-session"] == nil)
        #expect(try await home.get("/account").status == 303)
        await test.stop()
    }

    @Test("An administrator adds a user, who is told a password; an auditor only looks")
    func administration() async throws {
        let test = try await TestServer()
        try await test.addUser("olga", role: .owner)
        try await test.addUser("adam", role: .admin)
        try await test.addUser("ava", role: .auditor)
        var admin = TestBrowser(port: test.server.port)
        _ = try await admin.signIn("adam")
        try await admin.get("/admin/users")
        let token = admin.last.formToken
        let page = try await admin.post(
            "/admin/users", [("name", "nina"), ("shown", "Nina"), ("role", "member")])
        #expect(page.status == 200)
        let given = admin.between("<code id=\"password\">", "<")
        #expect(given.count == 17)
        var nina = TestBrowser(port: test.server.port)
        _ = try await nina.signIn("nina", given)
        #expect(try await nina.follow().body.contains("Choose a password"))
        // Neither makes an owner nor touches one.
        #expect(
            try await admin.post("/admin/users", [("name", "x"), ("role", "owner")], token: token)
                .status == 403)
        #expect(
            try await admin.post("/admin/users/1", [("action", "suspend")], token: token).status
                == 403)
        #expect(
            try await admin.post("/admin/users/4", [("action", "suspend")], token: token).status
                == 303)
        var auditor = TestBrowser(port: test.server.port)
        _ = try await auditor.signIn("ava")
        let log = try await auditor.get("/admin/audit")
        #expect(log.body.contains("user.suspend") && !log.body.contains(given))
        #expect(
            try await auditor.post(
                "/admin/users/4", [("action", "resume")],
                token: try await auditor.get("/account").formToken
            ).status == 403)
        await test.stop()
    }

    @Test("An operator lets a waiting machine in for a user; a member cannot")
    func approval() async throws {
        let test = try await TestServer()
        try await test.addUser("otto", role: .operator)
        try await test.addUser("mia")
        let node = try TestNode("printer", port: test.server.port)
        let asked = try await node.client.register(node.registration())
        let id = asked.authURL.split(separator: "/").last ?? ""
        var member = TestBrowser(port: test.server.port)
        _ = try await member.signIn("mia")
        try await member.follow()
        #expect(try await member.get("/admin/machines").status == 404)
        let token = try await member.get("/account").formToken
        #expect(
            try await member.post(
                "/admin/waiting/\(id)", [("answer", "yes"), ("user", "mia")], token: token
            ).status == 403)
        var boss = TestBrowser(port: test.server.port)
        _ = try await boss.signIn("otto")
        #expect(try await boss.get("/admin/machines").body.contains("printer"))
        try await boss.post("/admin/waiting/\(id)", [("answer", "yes"), ("user", "mia")])
        let answer = try await node.client.register(node.registration(followup: asked.authURL))
        #expect(answer.login.loginName == "mia")
        #expect(try await boss.get("/admin/users").status == 200)
        await test.stop()
    }
}
