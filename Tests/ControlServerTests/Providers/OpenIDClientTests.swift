import Coordination
import Logging
import NIOPosix
import NetTypes
import OpenIDClient
import OpenIDConnect
import SignIn
import Synchronization
import Testing
import WebForms

@testable import ControlServer

@Suite(.timeLimit(.minutes(1))) struct OpenIDClientTests {
    /// A client on a clock that the test moves.
    private final class Bench: Sendable {
        let client: OpenIDClient
        static let visitor = Visitor(browser: BrowserID(Bytes32()), address: nil)

        init(_ provider: HostileProvider) throws {
            let configuration = ProviderConfiguration.test(provider)
            guard case .openID(let openID) = configuration.method else { fatalError("it is") }
            let party = RelyingParty(
                configuration.settings, .openID(openID), secret: SecretText("hush"),
                callbackURL: "http://127.0.0.1/callback/corp")
            let http = try ProviderHTTP(
                trustFile: nil, group: MultiThreadedEventLoopGroup.singleton)
            let offset = OffsetBox()
            box = offset
            client = OpenIDClient(
                party, http: http, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            ) {
                let now = ServerClock().now
                return Moment(
                    monotonic: now.monotonic + offset.value, wall: now.wall)
            }
        }

        private let box: OffsetBox
        func wait(_ time: Nanoseconds) { box.add(time) }

        func signIn(at provider: HostileProvider) async throws -> OpenIDClient.Outcome {
            guard case .leave(let url) = await client.begin(for: .account, Self.visitor) else {
                return .failed(ProviderFailure(text: "", detail: "it stayed", wasUnderWay: false))
            }
            let callback = try provider.authorize(url)
            return await client.finish(
                FormFields(urlEncoded: callback.drop { $0 != "?" }.dropFirst()), Self.visitor)
        }
    }

    private final class OffsetBox: Sendable {
        private let offset = Mutex(Nanoseconds.zero)
        var value: Nanoseconds { offset.withLock { $0 } }
        func add(_ time: Nanoseconds) { offset.withLock { $0 = $0 + time } }
    }

    @Test("New keys are found when a token names one, and old ones are forgotten")
    func rotation() async throws {
        let provider = try await HostileProvider()
        let bench = try Bench(provider)
        guard case .proven = try await bench.signIn(at: provider) else {
            Issue.record("nobody was proved")
            return
        }
        provider.tweak { tweaks in
            tweaks.keys = [TestKeys.json(TestKeys.next, id: "2")]
            tweaks.key = TestKeys.next
            tweaks.keyID = "2"
        }
        // Too soon after the last time.
        guard case .failed = try await bench.signIn(at: provider) else {
            Issue.record("keys were asked for too soon")
            return
        }
        #expect(provider.requests.count { $0 == "/keys" } == 1)
        bench.wait(.minutes(1))
        guard case .proven = try await bench.signIn(at: provider) else {
            Issue.record("the new key was not found")
            return
        }
        #expect(provider.requests.count { $0 == "/keys" } == 2)
        provider.tweak {
            $0.key = TestKeys.published; $0.keyID = "1"
        }
        guard case .failed = try await bench.signIn(at: provider) else {
            Issue.record("a key that was withdrawn is still believed")
            return
        }
        await bench.client.shutDown()
        await provider.stop()
    }

    @Test("Another key under the same name is found as well")
    func replacedKey() async throws {
        let provider = try await HostileProvider()
        let bench = try Bench(provider)
        guard case .proven = try await bench.signIn(at: provider) else {
            Issue.record("nobody was proved")
            return
        }
        provider.tweak { tweaks in
            tweaks.keys = [TestKeys.json(TestKeys.next, id: "1")]
            tweaks.key = TestKeys.next
        }
        bench.wait(.minutes(1))
        guard case .proven = try await bench.signIn(at: provider) else {
            Issue.record("the new key was not found")
            return
        }
        await bench.client.shutDown()
        await provider.stop()
    }

    @Test("An answer that never ends is given up")
    func slow() async throws {
        let provider = try await HostileProvider { $0.replies["/keys"] = .drip }
        let http = try ProviderHTTP(
            trustFile: nil, group: MultiThreadedEventLoopGroup.singleton,
            timeout: .milliseconds(200))
        let url = try #require(ProviderURL(provider.issuer + "/keys"))
        let (reply, _) = await http.send(ProviderRequest(url))
        #expect(reply == .none("no whole answer within 0.2 seconds"))
        await http.shutDown()
        await provider.stop()
    }

    @Test("Many who come at once ask a provider about itself once")
    func together() async throws {
        let provider = try await HostileProvider()
        let bench = try Bench(provider)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<20 {
                group.addTask { _ = await bench.client.begin(for: .account, Bench.visitor) }
            }
        }
        #expect(provider.requests.count == 2)
        await bench.client.shutDown()
        await provider.stop()
    }
}
