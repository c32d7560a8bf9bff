import ControlClient
import ControlMessages
import LocalAPI
import Logging
import NetTypes
import NodeCore

/// What the server asks this node (control protocol §5.9).
extension LocalNode {
    /// Questions that may be under way at a time; what comes beyond them is not answered.
    static var questionsMax: Int { 8 }

    /// Answers one question. A failure costs the server an answer and this node nothing.
    func answer(_ question: PingRequest, through client: ControlClient) async {
        do {
            switch question.types {
            case "":
                try await client.deliver(
                    nil, to: question.url, throughChannel: question.isURLOverNoise)
            case "c2n":
                let request = try ControlToNodeRequest(parsing: question.payload?.bytes ?? [])
                let answers = ControlToNodeAnswers(health: health, map: map.asResponse.jsonBytes)
                try await client.deliver(
                    answers.answer(to: request).bytes, to: question.url, throughChannel: true)
            default: try await answerPings(question, through: client)
            }
        } catch {
            logger.debug(
                "a question of the server stays unanswered",
                metadata: ["types": "\(question.types.prefix(32))", "error": "\(error)"])
        }
    }

    private func answerPings(
        _ question: PingRequest, through client: ControlClient
    ) async throws {
        guard let address = IPAddress(question.address) else { return }
        for type in question.types.split(separator: ",").prefix(4) {
            var result = PingResult(address: address)
            do throws(NodeControlError) {
                // The kind that the peer's kernel answers stands in for those we do not have.
                result = try await ping(address, kind: type == "disco" ? .disco : .icmp)
            } catch {
                result.error = error.message
            }
            var writer = JSONWriter()
            writer.object { writer in
                writer.keep("Type", String(type))
                result.writeMembers(to: &writer)
            }
            try await client.deliver(
                writer.bytes, to: question.url, throughChannel: question.isURLOverNoise)
        }
    }
}
