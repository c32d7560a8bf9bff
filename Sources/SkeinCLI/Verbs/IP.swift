import ArgumentParser
import LocalAPI
import NetTypes

struct IP: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ip", abstract: "Shows the addresses of this machine or of another.")

    @OptionGroup var connection: ConnectionOptions

    @Flag(name: .customShort("4"), help: "Only the IPv4 address.")
    var ipv4 = false

    @Flag(name: .customShort("6"), help: "Only the IPv6 address.")
    var ipv6 = false

    @Argument(help: "The name or an address of another machine.")
    var peer: String?

    func validate() throws {
        if ipv4, ipv6 { throw ValidationError("-4 and -6 exclude each other") }
    }

    func run() async throws {
        let status = try await connection.client.status(peers: peer != nil)
        let all =
            try peer.map { try PeerName.find($0, in: status).peer.addresses }
            ?? status.addresses
        guard !all.isEmpty else {
            throw Failure("no address yet: the node is in state \(status.backendState.name)")
        }
        let wanted = all.filter { ipv4 ? $0.isIPv4 : ipv6 ? $0.isIPv6 : true }
        guard !wanted.isEmpty else {
            throw Failure("there is no \(ipv4 ? "IPv4" : "IPv6") address")
        }
        for address in wanted { Terminal.say(address.description) }
    }
}
