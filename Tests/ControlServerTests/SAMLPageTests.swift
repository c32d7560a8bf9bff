import ControlClient
import ControlMessages
import Coordination
import CryptoPrimitives
import FakeIdentityProvider
import Foundation
import LinuxIO
import NetTypes
import SAML
import SignIn
import Testing
import WebForms
import XMLSecurity

@testable import ControlServer

/// A folder that goes when this does.
private final class TemporaryFolder: Sendable {
    let path: String
    init() throws {
        path = NSTemporaryDirectory() + "skein-saml-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// A server with one SAML provider, `corp`, and that provider.
private struct SAMLTest {
    static let provider = try! FakeIdentityProvider()
    private static let identity = try! makeIdentity()

    let test: TestServer
    let folder: TemporaryFolder
    var browser: TestBrowser
    var provider: FakeIdentityProvider { Self.provider }

    init(
        signing: Bool = true, _ edit: (inout SAMLSettings) -> Void = { _ in },
        rules: ProviderRules = ProviderRules(createsUsers: true)
    ) async throws {
        folder = try TemporaryFolder()
        let file = folder.path + "/idp.xml"
        try AtomicFile.write(Array(Self.provider.metadata.utf8), to: file)
        var saml = SAMLSettings(metadata: .file(file), entityID: Self.provider.entityID)
        saml.mapping.userName = "uid"
        saml.mapping.displayName = "name"
        saml.mapping.groups = "groups"
        edit(&saml)
        let configuration = ProviderConfiguration(
            ProviderSettings(name: "corp", label: "Example Corp", rules: rules), .saml(saml))
        test = try await TestServer { settings in
            settings.providers = [configuration]
            settings.samlIdentity = Self.identity
        }
        browser = TestBrowser(port: test.server.port)
    }

    private static func makeIdentity() throws -> SigningIdentity {
        let new = try SigningIdentity.make(
            .rsa2048, name: "127.0.0.1", from: Timestamp(unixSeconds: 1_700_000_000),
            to: Timestamp(unixSeconds: 4_000_000_000))
        return try SigningIdentity(
            certificate: new.certificate.span.bytes, key: new.key.span.bytes)
    }

    /// Goes to the provider, and gives what it would claim.
    mutating func leave(_ query: String = "") async throws -> FakeIdentityProvider.Claim {
        let reply = try await browser.get("/login/with/corp\(query)")
        #expect(reply.status == 303)
        let url = reply.location
        #expect(url.hasPrefix("https://idp.example/login?SAMLRequest="))
        let text = url.split(separator: "SAMLRequest=")[1].prefix { $0 != "&" }
        let bytes = try #require(Base64Bytes.decode(percentDecoded(text)))
        return try claim(String(decoding: bytes.dropFirst(5), as: UTF8.self))
    }

    func claim(_ request: String) throws -> FakeIdentityProvider.Claim {
        let start = try #require(request.firstRange(of: " ID=\"")).upperBound
        var claim = provider.claim(
            request: String(request[start...].prefix { $0 != "\"" }),
            audience: "http://127.0.0.1/saml/corp", recipient: "http://127.0.0.1/callback/corp",
            at: CivilTime.now())
        claim.assertionID = "_a\(UInt64.random(in: 0 ... .max))"
        claim.attributes = [
            ("uid", ["anna"]), ("name", ["Anna"]), ("groups", ["staff", "ops"]),
        ]
        return claim
    }

    /// The provider's page posts a response from this browser, which sends no cookie along.
    func post(_ response: String) async throws -> String {
        var other = TestBrowser(port: test.server.port)
        let reply = try await other.post(
            "/callback/corp", [("SAMLResponse", FakeIdentityProvider.field(response))])
        #expect(reply.status == 303)
        #expect(other.cookies.isEmpty)
        #expect(reply.location.hasPrefix("/callback/corp?received="))
        return reply.location
    }
}

@Suite(.timeLimit(.minutes(2))) struct SAMLPageTests {
    @Test func `A machine joins by a SAML provider`() async throws {
        var saml = try await SAMLTest()
        let node = try TestNode("laptop", port: saml.test.server.port)
        let asked = try await node.client.register(node.registration())
        let path = String(asked.authURL.dropFirst("http://127.0.0.1".count))
        let page = try await saml.browser.get(path)
        let device = String(path.dropFirst("/register/".count))
        #expect(page.body.contains("href=\"/login/with/corp?device=\(device)\""))
        let claim = try await saml.leave("?device=\(device)")
        let back = try await saml.post(saml.provider.response(claim, signing: .both))
        try await saml.browser.get(back)
        var shown = try await saml.browser.follow()
        #expect(shown.body.contains("Is this machine yours?"))
        async let registered = node.client.register(node.registration(followup: asked.authURL))
        shown = try await saml.browser.post(path, [("answer", "yes")])
        #expect(shown.body.contains("laptop is in"))
        let answer = try await registered
        #expect(answer.isMachineAuthorized && answer.login.loginName == "anna")
        let user = await saml.test.server.owner.read { coordinator, _ in
            coordinator.state.user(name: "anna")
        }
        #expect(user?.groups == ["staff", "ops"])
        #expect(user?.displayName == "Anna")
        #expect(
            user?.identities == [
                UserIdentity(provider: "https://idp.example/metadata", subject: "3f7b8f4e")
            ])
        await saml.test.stop()
    }

    @Test func `A response counts in the browser that asked, and once`() async throws {
        var saml = try await SAMLTest()
        let response = try saml.provider.response(try await saml.leave())
        let back = try await saml.post(response)
        var stranger = TestBrowser(port: saml.test.server.port)
        #expect(try await stranger.get(back).status == 409)
        #expect(stranger.cookies["skein-session"] == nil)
        #expect(try await saml.browser.get(back).location == "/account")
        #expect(saml.browser.cookies["skein-session"] != nil)
        #expect(try await saml.browser.get(back).status == 409)
        let again = try await saml.post(response)
        #expect(again.hasSuffix("received=0"))
        #expect(try await saml.browser.get(again).status == 409)
        await saml.test.stop()
    }

    @Test func `A changed response signs nobody in, and the audit log says why`() async throws {
        var saml = try await SAMLTest()
        let response = try saml.provider.response(try await saml.leave())
        let back = try await saml.post(response.replacing("3f7b8f4e", with: "admin"))
        let page = try await saml.browser.get(back)
        #expect(page.status == 409)
        #expect(page.body.contains("The answer of Example Corp was not accepted"))
        #expect(saml.browser.cookies["skein-session"] == nil)
        let entry = saml.test.store.audit.last { $0.action == .signIn }
        #expect(entry?.isRefused == true)
        #expect(entry?.detail.contains("its signature does not fit") == true)
        // The person's own answer is still good.
        let own = try await saml.post(response)
        #expect(try await saml.browser.get(own).location == "/account")
        await saml.test.stop()
    }

    @Test func `A response that nobody asked for signs nobody in`() async throws {
        let saml = try await SAMLTest()
        var claim = try saml.claim("<r ID=\"_0123456789abcdef0123456789abcdef\"/>")
        claim.assertionID = "_unsolicited"
        let back = try await saml.post(saml.provider.response(claim, signing: .both))
        var browser = TestBrowser(port: saml.test.server.port)
        let page = try await browser.get(back)
        #expect(page.status == 409)
        #expect(page.body.contains("Sign-ins begin here"))
        await saml.test.stop()
    }

    @Test func `A request by form leads to the provider and nowhere else`() async throws {
        var saml = try await SAMLTest({ $0.requestBinding = .post })
        let page = try await saml.browser.get("/login/with/corp")
        #expect(page.status == 200)
        #expect(page.body.contains("action=\"https://idp.example/login/post\""))
        let policy = try #require(page.header("Content-Security-Policy"))
        #expect(policy.contains("form-action https: https://idp.example;"))
        #expect(policy.contains("default-src 'none'"))
        let field = saml.browser.between("name=\"SAMLRequest\" value=\"", "\"")
        let text = String(decoding: try #require(Base64Bytes.decode(field)), as: UTF8.self)
        let back = try await saml.post(saml.provider.response(try saml.claim(text)))
        #expect(try await saml.browser.get(back).location == "/account")
        await saml.test.stop()
    }

    @Test func `The metadata are there for the provider`() async throws {
        var saml = try await SAMLTest()
        let page = try await saml.browser.get("/saml/corp")
        #expect(page.header("Content-Type") == "application/samlmetadata+xml")
        #expect(page.body.contains("entityID=\"http://127.0.0.1/saml/corp\""))
        #expect(page.body.contains("Location=\"http://127.0.0.1/callback/corp\""))
        #expect(try await saml.browser.get("/saml/other").status == 404)
        await saml.test.stop()
    }

    @Test func `New metadata in the file count at once, and the server runs without any`()
        async throws
    {
        var saml = try await SAMLTest()
        let file = saml.folder.path + "/idp.xml"
        try AtomicFile.write(Array("nonsense".utf8), to: file)
        let page = try await saml.browser.get("/login/with/corp")
        #expect(page.status == 409)
        #expect(page.body.contains("cannot be asked now"))
        try AtomicFile.write(Array(saml.provider.metadata.utf8), to: file)
        #expect(try await saml.browser.get("/login/with/corp").status == 303)
        await saml.test.stop()
    }

    @Test func `The server's key stays, in a file that nobody else reads`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/saml.pem"
        let now = Timestamp(unixSeconds: 1_800_000_000)
        let first = try SAMLKeys.loadOrMake(path, host: "mesh.example.org", at: now)
        let second = try SAMLKeys.loadOrMake(path, host: "mesh.example.org", at: now)
        #expect(first.certificate == second.certificate)
        #expect(try AtomicFile.isPrivate(path))
        #expect(first.expiry - now == .minutes(3650 * 24 * 60))
    }
}
