import ControlMessages
import ControlServer
import Coordination
import CryptoPrimitives
import NetTypes
import SignIn
import Synchronization
import Testing

/// Administrators' calls on a network in memory.
@Suite struct AdminServiceTests {
    private final class Network: Sendable {
        private let state = Mutex(CoordinationState())
        let isBroken = Mutex(false)

        struct Broken: Error {}

        var service: AdminService {
            AdminService(
                accounts: Accounts(
                    settings: SignInSettings(), secrets: AccountSecrets(SecretBytes())),
                audit: { _, _ in [] }
            ) { decide in
                if self.isBroken.withLock({ $0 }) { throw Broken() }
                return self.state.withLock { state in
                    let now = Moment(
                        monotonic: MonotonicInstant(nanoseconds: 1),
                        wall: Timestamp(rfc3339: "2026-11-24T08:00:00Z")!)
                    let settings = CoordinationSettings(
                        serverURL: "http://h", baseDomain: "mesh.example",
                        derpMap: DERPMap(regions: [:]))
                    var coordinator = Coordinator(state: state, settings: settings, at: now)
                    var random = SecureRandom()
                    let decision = decide(&coordinator, now, &random)
                    for change in decision.changes { state.apply(change) }
                    return decision.reply.reply
                }
            }
        }

        func add(_ number: UInt8) {
            let bytes = Bytes32([UInt8](repeating: number, count: 32))
            var node = NodeRecord(
                id: NodeID(Int64(number)), machineKey: MachineKey(bytes), nodeKey: NodeKey(bytes),
                name: "node\(number)", created: .zero, registration: .approval)
            node.user = UserID(1)
            node.ipv4 = IPv4Address(100, 64, 0, number)
            let record = node
            state.withLock { $0.apply(.node(record)) }
        }
    }

    private let network = Network()

    private func call(
        _ method: String, _ path: String, _ body: String = "{}"
    ) async throws -> (status: Int, body: JSONObject) {
        let parts = ["api", "v1"] + path.split(separator: "/").map { String($0) }
        let reply = await network.service.respond(
            to: AdminRequest(
                method: method, path: parts, body: try JSONObject(jsonBytes: Array(body.utf8))))
        return (reply.status, try #require(reply.body.object))
    }

    @Test func aUserAndAKeyAreMadeListedAndRemoved() async throws {
        let created = try await call("POST", "user", #"{"name":"anna"}"#)
        #expect(created.status == 200)
        #expect(created.body["user"]?.object?["name"] == .string("anna"))
        let key = try await call(
            "POST", "preauthkey",
            #"{"user":"anna","reusable":true,"aclTags":["tag:a"],"expiration":"2026-11-25T08:00:00Z"}"#
        )
        let text = try #require(key.body["preAuthKey"]?.object?["key"]?.string)
        #expect(text.hasPrefix("skein-auth-"))
        let list = try await call("GET", "preauthkey")
        let entry = try #require(list.body["preAuthKeys"]?.array?.first?.object)
        #expect(entry["key"] == nil)
        #expect(entry["usable"] == .bool(true) && entry["reusable"] == .bool(true))
        let expired = try await call("POST", "preauthkey/expire", #"{"key":"1"}"#)
        #expect(expired.body["preAuthKey"]?.object?["usable"] == .bool(false))
        #expect(try await call("DELETE", "user/anna").status == 200)
        #expect(try await call("GET", "user").body["users"] == .array([]))
        #expect(try await call("GET", "preauthkey").body["preAuthKeys"] == .array([]))
    }

    @Test func nodesAreShownRenamedExpiredAndDeleted() async throws {
        _ = try await call("POST", "user", #"{"name":"anna"}"#)
        network.add(1)
        network.add(2)
        let list = try await call("GET", "node")
        #expect(list.body["nodes"]?.array?.count == 2)
        let shown = try await call("GET", "node/100.64.0.1").body["node"]?.object
        #expect(shown?["givenName"] == .string("node1"))
        #expect(shown?["fullName"] == .string("node1.mesh.example"))
        #expect(shown?["user"]?.object?["name"] == .string("anna"))
        #expect(shown?["expiry"] == .null)
        let renamed = try await call("POST", "node/1/rename/web")
        #expect(renamed.body["node"]?.object?["givenName"] == .string("web"))
        let expired = try await call("POST", "node/web/expire")
        #expect(expired.body["node"]?.object?["expired"] == .bool(true))
        let valid = try await call("POST", "node/web/expire", #"{"disableExpiry":true}"#)
        #expect(valid.body["node"]?.object?["expired"] == .bool(false))
        #expect(try await call("DELETE", "node/web").status == 200)
        #expect(try await call("GET", "node/web").status == 400)
    }

    @Test(arguments: [
        ("GET", "nothing", "{}", 404), ("PUT", "user", "{}", 404), ("GET", "", "{}", 404),
        ("POST", "user", "{}", 400), ("POST", "user", #"{"name":1}"#, 400),
        ("POST", "user", #"{"name":"a b"}"#, 400), ("DELETE", "user/nobody", "{}", 400),
        ("POST", "preauthkey", #"{"user":"nobody"}"#, 400), ("POST", "node/9/expire", "{}", 400),
        ("POST", "auth/approve", #"{"authId":"x","user":"y"}"#, 400),
        ("POST", "auth/reject", #"{"authId":"x"}"#, 400), ("POST", "node/1/rename/a/b", "{}", 404),
    ])
    func wrongCallsSayWhatIsWrong(method: String, path: String, body: String, status: Int)
        async throws
    {
        let reply = try await call(method, path, body)
        #expect(reply.status == status)
        #expect(reply.body["error"]?.string?.isEmpty == false)
    }

    @Test func whatIsNotStoredIsNoSuccess() async throws {
        network.isBroken.withLock { $0 = true }
        #expect(try await call("POST", "user", #"{"name":"anna"}"#).status == 500)
    }
}
