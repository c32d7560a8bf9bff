import ControlMessages
import Coordination
import FakeIdentityProvider
import NetTypes
import SAML
import SignIn
import Testing
import XMLSecurity

/// SplitMix64.
struct SeededRandom: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

/// Keys take a while to make, so all tests share these.
enum Shared {
    static let provider = try! FakeIdentityProvider()
    static let stranger = try! FakeIdentityProvider()
    static let curve = try! FakeIdentityProvider(.p256)
    static let service = try! makeIdentity()
    static let otherService = try! makeIdentity()

    private static func makeIdentity() throws -> SigningIdentity {
        let new = try SigningIdentity.make(
            .rsa2048, name: "mesh.example.org", from: Timestamp(unixSeconds: 1_700_000_000),
            to: Timestamp(unixSeconds: 2_000_000_000))
        return try SigningIdentity(
            certificate: new.certificate.span.bytes, key: new.key.span.bytes)
    }
}

/// This server and a provider, in virtual time.
final class TestExchange {
    let provider: FakeIdentityProvider
    var record: IdentityProviderRecord
    var exchange: SAMLExchange
    var random = SeededRandom(state: 5)
    var now = Moment(
        monotonic: MonotonicInstant(nanoseconds: 1_000_000_000_000),
        wall: Timestamp(rfc3339: "2026-11-24T08:00:00Z")!)

    init(
        _ provider: FakeIdentityProvider = Shared.provider,
        _ edit: (inout ServiceProvider) -> Void = { _ in }
    ) throws {
        self.provider = provider
        let metadata = Array(provider.metadata.utf8)
        record = try IdentityProviderRecord(metadata: metadata.span.bytes)
        var service = ServiceProvider(
            entityID: "https://mesh.example.org/saml/corp",
            responseURL: "https://mesh.example.org/callback/corp", identity: Shared.service)
        edit(&service)
        exchange = SAMLExchange(service)
    }

    func visitor(_ number: UInt8 = 1) -> Visitor {
        Visitor(
            browser: BrowserID(Bytes32([UInt8](repeating: number, count: 32))),
            address: IPAddress("203.0.113.\(number)"))
    }

    func advance(_ time: Nanoseconds) {
        now = Moment(monotonic: now.monotonic + time, wall: now.wall + time)
    }

    func begin(_ purpose: SignInPurpose = .account, by number: UInt8 = 1) throws -> OutgoingRequest
    {
        try exchange.begin(for: purpose, visitor(number), at: record, now, random: &random)
    }

    /// Begins a sign-in, and gives what the provider would claim in answer.
    func claim(by number: UInt8 = 1) throws -> FakeIdentityProvider.Claim {
        let request = try begin(by: number)
        return provider.claim(
            request: try requestID(request), audience: exchange.service.entityID,
            recipient: exchange.service.responseURL, at: now.wall)
    }

    func requestID(_ request: OutgoingRequest) throws -> String {
        let text = try requestText(request)
        let start = try #require(text.firstRange(of: " ID=\"")).upperBound
        return String(text[start...].prefix { $0 != "\"" })
    }

    func requestText(_ request: OutgoingRequest) throws -> String {
        switch request {
        case .redirect(let url):
            let field = try #require(url.firstRange(of: "SAMLRequest=")).upperBound
            let bytes = try #require(decodeBase64(unescaped(url[field...].prefix { $0 != "&" })))
            // One block that is stored: five bytes, then the text.
            return String(decoding: bytes.dropFirst(5), as: UTF8.self)
        case .form(_, let text):
            return String(decoding: try #require(decodeBase64(text)), as: UTF8.self)
        }
    }

    func receive(_ response: String) -> SAMLExchange.Receipt {
        exchange.receive(
            FakeIdentityProvider.field(response), from: record, now, random: &random)
    }

    /// What the browser that asked is told.
    func outcome(_ response: String, for number: UInt8 = 1) -> SAMLExchange.Outcome {
        switch receive(response) {
        case .refused(let refusal): .refused(refusal)
        case .kept(let id, _):
            exchange.take(id, visitor(number), now) ?? .refused(.malformed("another browser's"))
        }
    }

    func refusal(_ response: String) -> SAMLRefusal? {
        if case .refused(let refusal) = outcome(response) { refusal } else { nil }
    }

    func person(_ response: String) throws -> SAMLPerson {
        let outcome = outcome(response)
        guard case .proven(let person, _) = outcome else {
            Issue.record("\(outcome)")
            throw SAMLRefusal.unsolicited
        }
        return person
    }
}

func unescaped(_ text: some StringProtocol) -> String {
    var bytes: [UInt8] = []
    var rest = Substring(text)
    while let first = rest.first {
        if first == "%", let byte = UInt8(rest.dropFirst().prefix(2), radix: 16) {
            bytes.append(byte)
            rest = rest.dropFirst(3)
        } else {
            bytes += Array(String(first).utf8)
            rest = rest.dropFirst()
        }
    }
    return String(decoding: bytes, as: UTF8.self)
}

func decodeBase64(_ text: String) -> [UInt8]? { Base64Bytes.decode(text) }

func publicKey(of identity: SigningIdentity) throws -> VerificationKey {
    let certificate = identity.certificate
    return try VerificationKey(certificate: certificate.span.bytes)
}
