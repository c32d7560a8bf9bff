import FakeIdentityProvider
import NetTypes
import SAML
import SignIn
import Testing
import XMLSecurity

@Suite struct RequestTests {
    private var ownKey: VerificationKey {
        get throws { try publicKey(of: Shared.service) }
    }

    @Test func `A request by redirect is signed over its query`() throws {
        let test = try TestExchange()
        let request = try test.begin()
        guard case .redirect(let url) = request else {
            Issue.record("\(request)")
            return
        }
        #expect(url.hasPrefix("https://idp.example/login?SAMLRequest="))
        let query = url.split(separator: "?")[1]
        let parts = query.split(separator: "&Signature=")
        let signature = try #require(decodeBase64(unescaped(parts[1])))
        let isSigned = try ownKey.signed(
            Array(parts[0].utf8).span.bytes, signature: signature.span.bytes)
        #expect(isSigned)
        #expect(
            parts[0].contains(
                "&SigAlg=http%3A%2F%2Fwww.w3.org%2F2001%2F04%2Fxmldsig-more%23rsa-sha256"))
        let text = try test.requestText(request)
        let document = try XMLDocument(Array(text.utf8).span.bytes)
        #expect(document.root.name == "AuthnRequest")
        #expect(document.root.attribute("Destination") == "https://idp.example/login")
        #expect(
            document.root.attribute("AssertionConsumerServiceURL")
                == "https://mesh.example.org/callback/corp")
        #expect(document.root.attribute("IssueInstant") == "2026-11-24T08:00:00Z")
    }

    @Test func `A request by form is signed within`() throws {
        let test = try TestExchange { $0.requestBinding = .post }
        let request = try test.begin()
        guard case .form(let action, _) = request else {
            Issue.record("\(request)")
            return
        }
        #expect(action == "https://idp.example/login/post")
        let text = try test.requestText(request)
        let document = try XMLDocument(Array(text.utf8).span.bytes)
        let signed = try document.verified(document.root, by: [ownKey])
        #expect(signed.root.attribute("Destination") == action)
    }

    @Test func `Requests are unsigned only where both sides want that`() throws {
        let test = try TestExchange { $0.signsRequests = false }
        guard case .redirect(let url) = try test.begin() else { return }
        #expect(!url.contains("Signature="))
        test.record.wantsSignedRequests = true
        guard case .redirect(let signed) = try test.begin() else { return }
        #expect(signed.contains("&Signature="))
    }

    @Test func `A binding that the provider lacks is a refusal`() throws {
        let test = try TestExchange { $0.requestBinding = .post }
        test.record.postURL = nil
        #expect(throws: SAMLRefusal.self) { try test.begin() }
    }

    @Test func `The metadata of this server can be read and holds what is configured`() throws {
        let test = try TestExchange()
        let metadata = Array(test.exchange.service.metadata.utf8)
        let root = try XMLDocument(metadata.span.bytes).root
        #expect(root.attribute("entityID") == "https://mesh.example.org/saml/corp")
        #expect(
            test.exchange.service.metadata.contains(
                "Location=\"https://mesh.example.org/callback/corp\""))
    }

    // MARK: The provider's metadata

    private func fault(_ edit: (String) -> String, entity: String? = nil) -> IdentityProviderRecord
        .Fault?
    {
        let metadata = Array(edit(Shared.provider.metadata).utf8)
        do {
            _ = try IdentityProviderRecord(metadata: metadata.span.bytes, entityID: entity)
            return nil
        } catch { return error }
    }

    @Test func `Metadata is read`() throws {
        let metadata = Array("\u{FEFF}\(Shared.provider.metadata)".utf8)
        let record = try IdentityProviderRecord(metadata: metadata.span.bytes)
        #expect(record.entityID == "https://idp.example/metadata")
        #expect(record.redirectURL == "https://idp.example/login")
        #expect(record.postURL == "https://idp.example/login/post")
        #expect(record.keys.map(\.expiry.unixSeconds) == [2_000_000_000])
        #expect(!record.wantsSignedRequests)
    }

    @Test func `One of several providers is taken by name`() throws {
        let one = Shared.provider.metadata.split(separator: "-->")[1]
        let two = one.replacing("idp.example", with: "other.example")
        let both = """
            <md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata">\(one)\(two)</md:EntitiesDescriptor>
            """
        let record = try IdentityProviderRecord(
            metadata: Array(both.utf8).span.bytes, entityID: "https://other.example/metadata")
        #expect(record.redirectURL == "https://other.example/login")
        #expect(fault { _ in both } == .severalEntities)
        #expect(fault({ _ in both }, entity: "https://x") == .unknownEntity("https://x"))
    }

    @Test func `Metadata that is not good enough is refused`() {
        #expect(fault { _ in "<a/>" } == .notMetadata)
        #expect(fault { $0 + "<" } == .document(.malformed))
        #expect(fault { "<!DOCTYPE a>" + $0.split(separator: "?>")[1] } == .document(.documentType))
        #expect(fault({ $0 }, entity: "https://x") == .unknownEntity("https://x"))
        #expect(
            fault { $0.replacing("https://idp.example/login\"", with: "javascript:x\"") }
                == .badLocation("javascript:x"))
        #expect(
            fault { $0.replacing("use=\"signing\"", with: "use=\"encryption\"") } == .noSigningKey)
        #expect(
            fault { $0.replacing("SAML:2.0:protocol", with: "SAML:1.1:protocol") }
                == .notAnIdentityProvider)
        #expect(
            fault { $0.replacing("MII", with: "MIJ", maxReplacements: 1) }
                == .badCertificate(.malformed))
    }
}
