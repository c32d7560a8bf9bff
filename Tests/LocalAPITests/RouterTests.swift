import ControlMessages
import FakeNode
import Foundation
import LocalAPI
import NetTypes
import Testing

@Suite("Routes of the local interface") struct RouterTests {
    private let node = FakeNode()
    private let root = Caller(uid: 0)
    /// Nobody we know: the daemon of the test runs as somebody else.
    private let stranger = Caller(uid: 54_321)

    private func ask(
        _ method: LocalRequest.Method, _ target: String, _ body: String = "", from caller: Caller
    ) async throws -> LocalResponse {
        let request = try #require(
            LocalRequest(method: method, target: target, body: Array(body.utf8)))
        return await Router(node: node).respond(to: request, from: caller)
    }

    @Test(
        "Every user may look, only root may change",
        arguments: [
            (LocalRequest.Method.get, "status", 200, 200), (.get, "prefs", 200, 200),
            (.get, "derpmap", 200, 200), (.post, "netcheck", 200, 200),
            (.patch, "prefs", 200, 403), (.post, "start", 204, 403),
            (.post, "login-interactive", 204, 403), (.post, "logout", 204, 403),
            (.post, "debug?action=help", 200, 403), (.get, "watch-ipn-bus?mask=2", 200, 403),
            (.get, "whois?addr=100.64.0.9", 404, 404), (.get, "whois?addr=x", 400, 400),
            (.post, "ping?ip=100.64.0.9", 404, 404), (.post, "ping?ip=nobody", 400, 400),
            (.post, "ping?ip=100.64.0.9&type=x", 400, 400), (.post, "status", 404, 403),
            (.post, "debug?action=x", 400, 403),
        ])
    func permissions(
        method: LocalRequest.Method, route: String, forRoot: Int, forStranger: Int
    ) async throws {
        let target = "/localapi/v0/" + route
        #expect(try await ask(method, target, from: root).status == forRoot)
        #expect(try await ask(method, target, from: stranger).status == forStranger)
    }

    @Test("The operator may change, by name or by number")
    func operatorUser() async throws {
        await node.with { $0.settings.operatorUser = "54321" }
        let answer = try await ask(
            .patch, "/localapi/v0/prefs", #"{"Hostname":"h","HostnameSet":true}"#, from: stranger)
        #expect(answer.status == 200)
        #expect(await node.settings.hostname == "h")
        #expect(Caller.uid(ofUser: "root") == 0)
        #expect(Caller.uid(ofUser: "no such user, ever") == nil)
    }

    @Test("The page of a login is not shown to those who may not log in")
    func authURL() async throws {
        await node.with { $0.status.authURL = "https://mesh.example/register/abc" }
        for (caller, expected) in [
            (root, "https://mesh.example/register/abc"), (stranger, ""),
        ] {
            guard
                case .json(let bytes) = try await ask(
                    .get, "/localapi/v0/status", from: caller)
            else {
                Issue.record("no status")
                continue
            }
            #expect(try Status(jsonBytes: bytes).authURL == expected)
        }
    }

    @Test("Bodies that are no JSON, or not the expected JSON, are refused")
    func badBodies() async throws {
        for body in ["{", "[]", #"{"Hostname":1,"HostnameSet":true}"#] {
            let answer = try await ask(.patch, "/localapi/v0/prefs", body, from: root)
            #expect(answer.status == 400)
        }
    }

    @Test("Targets are decoded, and what cannot be decoded is no request")
    func targets() throws {
        let request = try #require(
            LocalRequest(method: .get, target: "/localapi/v0/whois?addr=%5B::1%5D%3A80&x=a+b&y"))
        #expect(request.path == "/localapi/v0/whois")
        #expect(request.query == ["addr": "[::1]:80", "x": "a b", "y": ""])
        for target in ["", "localapi", "/%zz", "/%f", "/?a=%ff"] {
            #expect(LocalRequest(method: .get, target: target) == nil)
        }
    }
}

extension LocalResponse {
    /// The status with which the answer is written.
    fileprivate var status: Int {
        switch self {
        case .json, .stream: 200
        case .done: 204
        case .failure(let status, _): status
        }
    }
}
