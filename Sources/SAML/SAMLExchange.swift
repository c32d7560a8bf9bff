internal import ControlMessages
package import Coordination
package import NetTypes
package import SignIn
internal import XMLSecurity

/// Sign-ins at one identity provider: which are under way, and which assertions were used.
///
/// A response is posted from the provider's site, without this server's cookies. So it is judged by itself, by
/// the request that it answers, and what it proves is kept for the browser that made the request: that one
/// comes for it with its cookie.
package struct SAMLExchange: ~Copyable {
    package var service: ServiceProvider
    private var requests: AttemptTable<SignInPurpose>
    private var outcomes: AttemptTable<Outcome>
    private var used: UsedAssertions

    /// How a response ended, for the browser that asked.
    package enum Outcome: Equatable, Sendable {
        case proven(SAMLPerson, for: SignInPurpose)
        case refused(SAMLRefusal)
    }

    /// What became of a response.
    package enum Receipt: Equatable, Sendable {
        /// The browser that asked finds the outcome under this name: that somebody is proven, or a refusal.
        case kept(AttemptID, SAMLRefusal?)
        /// Nobody here asked for it.
        case refused(SAMLRefusal)

        package var refusal: SAMLRefusal? {
            switch self {
            case .kept(_, let refusal): refusal
            case .refused(let refusal): refusal
            }
        }
    }

    package init(
        _ service: ServiceProvider, capacity: Int = 1024, lifetime: Nanoseconds = .minutes(10)
    ) {
        self.service = service
        requests = AttemptTable(capacity: capacity, lifetime: lifetime)
        outcomes = AttemptTable(capacity: capacity, lifetime: .minutes(2))
        used = UsedAssertions(capacity: 4 * capacity)
    }

    /// Sends a browser to the provider.
    package mutating func begin(
        for purpose: SignInPurpose, _ visitor: Visitor, at provider: IdentityProviderRecord,
        _ now: Moment, random: inout some RandomNumberGenerator
    ) throws(SAMLRefusal) -> OutgoingRequest {
        let id = requests.add(purpose, of: visitor.browser, at: now.monotonic, random: &random)
        // An XML ID does not begin with a digit.
        let request = AuthenticationRequest(id: "_" + id.text, issued: now.wall)
        do throws(SAMLRefusal) {
            return try request.outgoing(service, to: provider)
        } catch {
            requests.remove(id)
            throw error
        }
    }

    /// Judges a response, whoever posted it.
    ///
    /// - Parameter text: the form's field `SAMLResponse`.
    package mutating func receive(
        _ text: String, from provider: IdentityProviderRecord, _ now: Moment,
        random: inout some RandomNumberGenerator
    ) -> Receipt {
        let bytes: [UInt8]
        let outcome: Outcome
        var asked: AttemptID?
        do throws(SAMLRefusal) {
            bytes = try Self.decoded(text)
            let signed = try unsafe SignedAssertion(
                response: bytes.span.bytes, from: provider, for: service.identity)
            let check = AssertionCheck(service: service, provider: provider, now: now.wall)
            let found = try check.outcome(of: signed)
            if used.contains(found.assertionID) { throw .replayed }
            asked = Self.attempt(found.requestID)
            guard let id = asked, let request = requests.entry(id, at: now.monotonic) else {
                throw .unsolicited
            }
            let end = found.end + service.clockSkew
            guard used.insert(found.assertionID, until: end, at: now.wall) else { throw .busy }
            requests.remove(id)
            outcome = .proven(found.person, for: request.value)
            return .kept(
                outcomes.add(
                    outcome, of: request.browser, at: now.monotonic, random: &random), nil)
        } catch {
            return refused(error, text, now, random: &random)
        }
    }

    /// Tells the browser that the response claims to be for. Nothing of it is believed but whom to tell; the
    /// request stays open, since a stranger may have sent this.
    private mutating func refused(
        _ refusal: SAMLRefusal, _ text: String, _ now: Moment,
        random: inout some RandomNumberGenerator
    ) -> Receipt {
        // What cannot be read names nobody.
        guard let bytes = try? Self.decoded(text),
            let document = try? unsafe XMLDocument(bytes.span.bytes),
            let id = Self.attempt(document.root.attribute("InResponseTo") ?? ""),
            let request = requests.entry(id, at: now.monotonic)
        else { return .refused(refusal) }
        return .kept(
            outcomes.add(
                .refused(refusal), of: request.browser, at: now.monotonic, random: &random),
            refusal)
    }

    /// The browser comes for the outcome, once.
    package mutating func take(
        _ id: AttemptID, _ visitor: Visitor, _ now: Moment
    ) -> Outcome? {
        outcomes.take(id, of: visitor.browser, at: now.monotonic)
    }

    private static func decoded(_ text: String) throws(SAMLRefusal) -> [UInt8] {
        let digits = text.filter { !$0.isWhitespace }
        guard !digits.isEmpty, let bytes = Base64Bytes.decode(digits) else { throw .notBase64 }
        return bytes
    }

    private static func attempt(_ requestID: String) -> AttemptID? {
        requestID.hasPrefix("_") ? AttemptID(String(requestID.dropFirst())) : nil
    }
}
