import Coordination
import FakeIdentityProvider
import NetTypes
import SAML
import SignIn
import XMLSecurity

let samlFuzzTargets: [FuzzTarget] = [
    // As it comes, from whoever sends it.
    FuzzTarget(name: "saml-response") { bytes in
        guard let parties else { preconditionFailure("keys can be made") }
        let signed = try? SignedAssertion(
            response: bytes, from: parties.record, for: parties.identity)
        precondition(signed == nil, "nobody signs by chance")
    },
    // The same with a good signature around it: what a hostile provider can send.
    FuzzTarget(name: "saml-signed-response") { bytes in
        guard let parties else { preconditionFailure("keys can be made") }
        var template = FakeIdentityProvider.Template()
        template.method = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
        let text = String(decoding: bytes.array, as: UTF8.self)
        guard let response = try? parties.provider.sign(text, template.text(of: "_response1"))
        else { return }
        var service = ServiceProvider(
            entityID: "https://mesh.example.org/saml/corp",
            responseURL: "https://mesh.example.org/callback/corp", identity: parties.identity,
            signsRequests: false)
        service.mapping.groups = "groups"
        var exchange = SAMLExchange(service)
        var random = Counter()
        let now = Moment(
            monotonic: MonotonicInstant(nanoseconds: 1),
            wall: Timestamp(unixSeconds: 1_795_507_200))
        let visitor = Visitor(browser: BrowserID(Bytes32()), address: nil)
        _ = try? exchange.begin(for: .account, visitor, at: parties.record, now, random: &random)
        let receipt = exchange.receive(
            FakeIdentityProvider.field(response), from: parties.record, now, random: &random)
        guard case .kept(let id, nil) = receipt else { return }
        guard case .proven(let person, _) = exchange.take(id, visitor, now) else {
            preconditionFailure("an accepted response proves somebody")
        }
        precondition((1...512).contains(person.subject.utf8.count), "subjects are bounded")
        let again = exchange.receive(
            FakeIdentityProvider.field(response), from: parties.record, now, random: &random)
        precondition(again.refusal == .replayed, "an assertion is good once")
    },
    FuzzTarget(name: "saml-metadata") { bytes in
        _ = try? IdentityProviderRecord(metadata: bytes)
    },
]

private struct Parties: Sendable {
    var provider: FakeIdentityProvider
    var record: IdentityProviderRecord
    var identity: SigningIdentity
}

private let parties: Parties? = try? {
    let provider = try FakeIdentityProvider(.p256)
    let new = try SigningIdentity.make(
        .rsa2048, name: "mesh", from: Timestamp(unixSeconds: 0),
        to: Timestamp(unixSeconds: 4_000_000_000))
    let metadata = Array(provider.metadata.utf8)
    return Parties(
        provider: provider, record: try IdentityProviderRecord(metadata: metadata.span.bytes),
        identity: try SigningIdentity(
            certificate: new.certificate.span.bytes, key: new.key.span.bytes))
}()

/// The seeds answer the request that this draws: `_` and `0100000000000000` twice, counting up.
private struct Counter: RandomNumberGenerator {
    var value: UInt64 = 0
    mutating func next() -> UInt64 {
        value += 1
        return value
    }
}
