import Coordination
package import NetTypes
import OpenIDConnect

/// What a look at a provider found, for who sets it up.
package struct ProviderExamination: Sendable {
    /// What does not work, each in a line.
    package var faults: [String] = []
    /// What was found to be right.
    package var facts: [String] = []
    /// How far its clock is ahead of this one's; nil when it did not tell.
    package var clockLead: Nanoseconds?
}

extension OpenIDClient {
    /// Asks the provider for all that can be asked for without a person.
    package func examine() async -> ProviderExamination {
        switch method {
        case .openID: await examineOpenID()
        case .oauth2(let oauth2): await examine(oauth2)
        }
    }

    private func examineOpenID() async -> ProviderExamination {
        var result = ProviderExamination()
        guard let request = metadataRequest else { return result }
        let (reply, date) = await http.send(request)
        if let date = date.flatMap({ Timestamp(httpDate: $0) }) {
            result.clockLead = date - now().wall
        }
        do throws(ProviderFault) {
            let metadata = try metadata(reply)
            result.facts.append("its discovery document is of the configured issuer")
            guard let request = RelyingParty.keysRequest(metadata) else { return result }
            let keys = try keys(await http.send(request).0)
            result.facts.append("it has \(keys.keys.count) usable keys")
        } catch {
            result.faults.append(error.description)
        }
        return result
    }

    /// There is nothing to read without a person; but the user information has to be refused to
    /// nobody in particular.
    private func examine(_ oauth2: OAuth2Settings) async -> ProviderExamination {
        var result = ProviderExamination()
        guard let url = ProviderURL(oauth2.userInfoEndpoint) else { return result }
        let (reply, date) = await http.send(ProviderRequest(url))
        if let date = date.flatMap({ Timestamp(httpDate: $0) }) {
            result.clockLead = date - now().wall
        }
        switch reply {
        case .none(let reason): result.faults.append("user information: \(reason)")
        case .answer(let status, _) where (300..<400).contains(status) || status == 404:
            result.faults.append("user information: status \(status); the address may be wrong")
        case .answer: result.facts.append("its user information is reached")
        }
        return result
    }
}
