import Logging
import NetTypes
import OpenIDConnect
import SignIn
import Testing

@testable import ControlServer

@Suite(.timeLimit(.minutes(1))) struct DoctorTests {
    private func findings(
        _ providers: [ProviderConfiguration], adjust: (inout ServerConfiguration) -> Void = { _ in }
    ) async -> [String] {
        var configuration = ServerConfiguration()
        configuration.serverURL = "https://mesh.example.org"
        configuration.providers = providers
        adjust(&configuration)
        return await Doctor(
            configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ).examine().map(\.description)
    }

    @Test("A provider that is right is found to be so")
    func right() async throws {
        let provider = try await HostileProvider()
        let lines = await findings([.test(provider)])
        #expect(!lines.contains { $0.hasPrefix("problem") })
        #expect(
            lines.contains(
                "ok: provider corp: to be registered there: https://mesh.example.org/callback/corp")
        )
        #expect(
            lines.contains(
                "ok: provider corp: its discovery document is of the configured issuer"))
        #expect(lines.contains("ok: provider corp: it has 2 usable keys"))
        // Who has an account there can join: that is said, though it may be meant.
        #expect(lines.contains { $0.hasPrefix("warning: provider corp: create_users without") })
        await provider.stop()
    }

    @Test(
        "What is wrong with a provider is named",
        arguments: [
            ("issuer", "\"https://other.example\"", "it is of the issuer https://other.example"),
            ("jwks_uri", "\"http://192.0.2.1/\"", "its jwks_uri is no https address"),
            ("id_token_signing_alg_values_supported", "[\"HS256\"]", "no signature algorithm"),
        ])
    func wrongDocument(name: String, value: String, words: String) async throws {
        let provider = try await HostileProvider { $0.document[name] = value }
        let lines = await findings([.test(provider)])
        #expect(lines.contains { $0.hasPrefix("problem: provider corp: ") && $0.contains(words) })
        await provider.stop()
    }

    @Test("Keys that are of no use, and answers that are none, are named")
    func wrongAnswers() async throws {
        let keyless = try await HostileProvider { $0.keys = ["{\"kty\":\"oct\",\"k\":\"AAAA\"}"] }
        let lost = try await HostileProvider {
            $0.replies["/.well-known/openid-configuration"] = .json(404, "")
        }
        let late = try await HostileProvider { $0.date = "Sun, 06 Nov 1994 08:49:37 GMT" }
        let lines = await findings([
            .test(keyless, name: "keyless"), .test(lost, name: "lost"), .test(late, name: "late"),
        ])
        #expect(
            lines.contains { $0.hasPrefix("problem: provider keyless: keys: it offers no key") })
        #expect(
            lines.contains {
                $0.hasPrefix("problem: provider lost: discovery document: status 404")
            })
        #expect(lines.contains { $0.hasPrefix("problem: provider late: its clock is -") })
        for provider in [keyless, lost, late] { await provider.stop() }
    }

    @Test("A secret that is not there, and a server without TLS, are named")
    func settings() async throws {
        let provider = try await HostileProvider()
        var configured = ProviderConfiguration.test(provider)
        guard case .openID(var openID) = configured.method else { return }
        openID.client.secret = .file("/nonexistent/secret")
        configured.method = .openID(openID)
        let lines = await findings([configured]) { $0.serverURL = "http://mesh.example.org" }
        #expect(lines.contains { $0.hasPrefix("problem: server_url: ") })
        #expect(
            lines.contains {
                $0.hasPrefix("problem: provider corp: ") && $0.contains("/nonexistent/secret")
            })
        let closed = await findings([]) { $0.signIn.hasLocalAccounts = false }
        #expect(closed.contains { $0.hasPrefix("warning: accounts: ") })
        await provider.stop()
    }

    @Test("Dates of servers are read")
    func dates() {
        #expect(
            Timestamp(httpDate: "Sun, 06 Nov 1994 08:49:37 GMT")
                == Timestamp(unixSeconds: 784_111_777))
        #expect(
            Timestamp(httpDate: "Thu, 29 Feb 2024 23:59:59 GMT")
                == Timestamp(unixSeconds: 1_709_251_199))
        for text in ["", "yesterday", "Sun, 06 Nov 1994 8:49 GMT", "Sun, 06 Xxx 1994 08:49:37 GMT"]
        {
            #expect(Timestamp(httpDate: text) == nil)
        }
    }
}
