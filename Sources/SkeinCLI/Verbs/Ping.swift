import ArgumentParser
import LocalAPI
import NetTypes

struct Ping: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Pings another machine and shows the way there.",
        discussion: "Stops at the first answer over a direct path, unless --until-direct=false.")

    @OptionGroup var connection: ConnectionOptions

    @Option(name: .shortAndLong, help: "How many pings; 0 is without end.")
    var count = 10

    @Option(help: "Stop when the path is direct.")
    var untilDirect = true

    @Flag(help: "Ping through the tunnel: the other machine's kernel answers.")
    var icmp = false

    @Option(help: "How long to wait for each answer, such as 5s.")
    var timeout = TimeSpan(.seconds(5))

    @Argument(help: "The name or an address of the machine.")
    var peer: String

    func run() async throws {
        let client = connection.client
        let address = try await address(of: peer, client)
        var answered = 0
        var number = 0
        while count == 0 || number < count {
            if number > 0 { try await Task.sleep(for: .seconds(1)) }
            number += 1
            guard
                let result = try await within(
                    timeout.duration,
                    { try await client.ping(address, kind: icmp ? .icmp : .disco) })
            else {
                Terminal.say("ping \"\(peer)\" timed out")
                continue
            }
            if let error = result.error {
                guard !result.isOwnAddress else { throw Failure(error) }
                Terminal.say("ping \"\(peer)\": \(error)")
                continue
            }
            answered += 1
            Terminal.say(line(for: result))
            for line in explanation(of: result, isLast: number == count) { Terminal.say(line) }
            if untilDirect, result.endpoint != nil { return }
        }
        if answered == 0 { throw Failure("no answer from \(peer)") }
        if untilDirect { throw Failure("direct connection not established") }
    }

    private func address(of peer: String, _ client: LocalClient) async throws -> IPAddress {
        if let address = IPAddress(peer) { return address }
        let found = try PeerName.find(peer, in: try await client.status())
        guard !found.own else { throw Failure("\(peer) is this machine") }
        guard let address = found.peer.addresses.first else {
            throw Failure("\(peer) has no address")
        }
        return address
    }

    /// Of a relayed answer: what has been tried, after the last ping, and what stands in the way.
    private func explanation(of result: PingResult, isLast: Bool) -> [String] {
        guard result.endpoint == nil else { return [] }
        let tried = result.tried.map { path in
            let outcome =
                path.latencySeconds.map { "answers in " + Milliseconds.text($0) }
                ?? "no answer to \(path.pingCount) pings"
            return "  tried \(path.endpoint): \(outcome)"
        }
        let why = result.obstacle.isEmpty ? [] : ["  not direct: \(result.obstacle)"]
        return (isLast ? tried : []) + why
    }

    private func line(for result: PingResult) -> String {
        let way =
            if let endpoint = result.endpoint {
                "\(endpoint)"
            } else if !result.peerRelay.isEmpty {
                "peer-relay(\(result.peerRelay))"
            } else if !result.relayCode.isEmpty {
                "relay(\(result.relayCode))"
            } else {
                icmp ? "the tunnel" : "a relay"
            }
        let name = result.nodeName.isEmpty ? peer : result.nodeName
        return "pong from \(name) (\(result.nodeAddress ?? result.address)) via \(way) in "
            + Milliseconds.text(result.latencySeconds)
    }
}
