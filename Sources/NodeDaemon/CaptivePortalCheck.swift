import NIOCore
import NIOPosix
import NetTypes

/// Finds out whether something in this network answers in the place of others, such as the login
/// page of a hotel: relays are asked for `/generate_204` over plain HTTP with a challenge that only
/// they know how to answer.
enum CaptivePortalCheck {
    struct Target: Equatable, Sendable {
        var host: String
        var port: Int
    }

    private static var timeout: TimeAmount { .seconds(3) }
    /// A real answer has a few hundred bytes.
    private static var answerMax: Int { 4_096 }

    /// True when an answer was not the relay's, false when one was; nil when there was none, or nobody
    /// to ask. Takes 3 s at most.
    static func run(_ targets: [Target], group: any EventLoopGroup) async -> Bool? {
        await withTaskGroup(of: Bool?.self) { tasks in
            for target in targets {
                tasks.addTask {
                    let challenge = "skein-\(UInt64.random(in: 0 ... .max))"
                    // Who cannot be asked says nothing about portals.
                    guard let answer = try? await ask(target, challenge, group),
                        answer.contains("\r\n\r\n")
                    else { return nil }
                    return !isGenuine(answer, challenge)
                }
            }
            var result: Bool?
            for await isPortal in tasks {
                guard let isPortal else { continue }
                result = (result ?? false) || isPortal
            }
            return result
        }
    }

    /// 204 with the challenge in a header of its own.
    static func isGenuine(_ answer: String, _ challenge: String) -> Bool {
        let lines = answer.split(whereSeparator: \.isNewline)
        guard let first = lines.first, first.hasPrefix("HTTP/1."), first.contains(" 204") else {
            return false
        }
        return lines.contains {
            $0.lowercased() == "x-tailscale-response: response \(challenge)"
        }
    }

    private static func ask(
        _ target: Target, _ challenge: String, _ group: any EventLoopGroup
    ) async throws -> String {
        let channel = try await ClientBootstrap(group: group).connectTimeout(timeout)
            .connect(host: target.host, port: target.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel)
                }
            }
        let deadline = channel.channel.eventLoop.scheduleTask(in: timeout) {
            channel.channel.close(promise: nil)
        }
        defer { deadline.cancel() }
        let name = target.host.contains(":") ? "[\(target.host)]" : target.host
        let request = """
            GET /generate_204 HTTP/1.1\r
            Host: \(name):\(target.port)\r
            X-Tailscale-Challenge: \(challenge)\r
            Connection: close\r
            \r\n
            """
        return try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: request))
            var answer = ""
            for try await part in inbound {
                answer += String(buffer: part)
                if answer.contains("\r\n\r\n") || answer.utf8.count > answerMax { break }
            }
            return answer
        }
    }
}
