internal import NetTypes
internal import XMLSecurity

/// What a response must fulfil beside being signed (SAML Profiles §4.1.4.2 and 4.1.4.3).
struct AssertionCheck {
    let service: ServiceProvider
    let provider: IdentityProviderRecord
    let now: Timestamp

    /// What is left to compare with what this server remembers.
    struct Outcome: Equatable {
        var assertionID: String
        var requestID: String
        /// When the assertion ends, so long it has to be remembered.
        var end: Timestamp
        var person: SAMLPerson
    }

    func outcome(of signed: SignedAssertion) throws(SAMLRefusal) -> Outcome {
        let requestID = try checkResponse(signed)
        let assertion = signed.assertion
        guard assertion.attribute("Version") == "2.0" else { throw .malformed("Version") }
        guard let id = assertion.attribute("ID"), (1...256).contains(id.utf8.count) else {
            throw .malformed("ID")
        }
        let issuer = try required("Issuer", in: assertion)
        guard try isProvider(issuer) else { throw .wrongIssuer }
        let subject = try required("Subject", in: assertion)
        let end = try checkSubject(subject, requestID)
        try checkConditions(required("Conditions", in: assertion))
        try checkAuthentication(assertion)
        let person = try PersonReader(service: service, provider: provider)
            .person(assertion, subject)
        return Outcome(assertionID: id, requestID: requestID, end: end, person: person)
    }

    // MARK: Response

    /// The request that it answers.
    private func checkResponse(_ signed: SignedAssertion) throws(SAMLRefusal) -> String {
        let response = signed.response
        if let refusal = StatusReader.refusal(in: response) { throw refusal }
        guard response.attribute("Version") == "2.0" else { throw .malformed("Version") }
        if let issuer = try optional("Issuer", in: response), try !isProvider(issuer) {
            throw .wrongIssuer
        }
        let destination = response.attribute("Destination")
        // Bindings §3.5.5.2 wants it in what is signed.
        guard destination == service.responseURL || destination == nil && !signed.isResponseSigned
        else { throw .wrongDestination }
        guard let request = response.attribute("InResponseTo"), !request.isEmpty else {
            throw .unsolicited
        }
        return request
    }

    private func isProvider(_ issuer: XMLElement) throws(SAMLRefusal) -> Bool {
        let format = issuer.attribute("Format") ?? SAMLName.entity
        return try leaf(issuer) == provider.entityID && format == SAMLName.entity
    }

    // MARK: Subject

    /// At least one confirmation has to hold; of those that do not, the first says why.
    private func checkSubject(
        _ subject: XMLElement, _ requestID: String
    ) throws(SAMLRefusal) -> Timestamp {
        var refusal = SAMLRefusal.malformed("SubjectConfirmation")
        var isFirst = true
        for confirmation in subject.children("SubjectConfirmation", in: SAMLName.assertion)
        where confirmation.attribute("Method") == SAMLName.bearer {
            do throws(SAMLRefusal) {
                return try end(of: confirmation, requestID)
            } catch {
                if isFirst { refusal = error }
                isFirst = false
            }
        }
        throw refusal
    }

    private func end(
        of confirmation: XMLElement, _ requestID: String
    ) throws(SAMLRefusal) -> Timestamp {
        let data = try required("SubjectConfirmationData", in: confirmation)
        guard data.attribute("Recipient") == service.responseURL else { throw .wrongRecipient }
        guard data.attribute("InResponseTo") == requestID else { throw .wrongRequest }
        guard let end = try time("NotOnOrAfter", of: data) else {
            throw .malformed("NotOnOrAfter")
        }
        try checkPeriod(try time("NotBefore", of: data), end)
        return end
    }

    private func checkPeriod(_ begin: Timestamp?, _ end: Timestamp?) throws(SAMLRefusal) {
        if let begin, now + service.clockSkew < begin { throw .notYetValid }
        if let end, end + service.clockSkew <= now { throw .expired }
    }

    // MARK: Conditions

    private func checkConditions(_ conditions: XMLElement) throws(SAMLRefusal) {
        try checkPeriod(
            try time("NotBefore", of: conditions), try time("NotOnOrAfter", of: conditions))
        var restrictions = 0
        for condition in conditions.children {
            guard condition.namespace == SAMLName.assertion else {
                throw .unknownCondition(String(condition.name.prefix(40)))
            }
            switch condition.name {
            case "AudienceRestriction":
                restrictions += 1
                let audiences = condition.children("Audience", in: SAMLName.assertion)
                var names: [String] = []
                for audience in audiences { names.append(try leaf(audience)) }
                guard names.contains(service.entityID) else { throw .wrongAudience }
            // Each assertion is used once here, and none is passed on.
            case "OneTimeUse", "ProxyRestriction": break
            case let other: throw .unknownCondition(String(other.prefix(40)))
            }
        }
        guard restrictions > 0 else { throw .wrongAudience }
    }

    private func checkAuthentication(_ assertion: XMLElement) throws(SAMLRefusal) {
        let statements = assertion.children("AuthnStatement", in: SAMLName.assertion)
        guard !statements.isEmpty else { throw .malformed("AuthnStatement") }
        for statement in statements {
            guard let instant = try time("AuthnInstant", of: statement) else {
                throw .malformed("AuthnInstant")
            }
            try checkPeriod(instant, try time("SessionNotOnOrAfter", of: statement))
        }
    }

    // MARK: Parts

    private func required(_ name: String, in element: XMLElement) throws(SAMLRefusal) -> XMLElement
    {
        guard let child = element.onlyChild(name, in: SAMLName.assertion) else {
            throw .malformed(name)
        }
        return child
    }

    private func optional(
        _ name: String, in element: XMLElement
    ) throws(SAMLRefusal) -> XMLElement? {
        element.children(name, in: SAMLName.assertion).isEmpty
            ? nil : try required(name, in: element)
    }

    private func time(_ name: String, of element: XMLElement) throws(SAMLRefusal) -> Timestamp? {
        guard let text = element.attribute(name) else { return nil }
        guard text.hasSuffix("Z"), let time = Timestamp(rfc3339: text) else {
            throw .malformed(name)
        }
        return time
    }
}

/// The text of an element that has nothing but text.
func leaf(_ element: XMLElement) throws(SAMLRefusal) -> String {
    guard element.children.isEmpty else { throw .malformed(element.name) }
    return trimmed(element.text)
}

/// XML's white space at both ends means nothing in the values that are read here.
func trimmed(_ text: String) -> String {
    let isSpace: (Unicode.Scalar) -> Bool = { [" ", "\t", "\r", "\n"].contains($0) }
    let scalars = text.unicodeScalars
    guard let first = scalars.firstIndex(where: { !isSpace($0) }),
        let last = scalars.lastIndex(where: { !isSpace($0) })
    else { return "" }
    return String(scalars[first...last])
}
