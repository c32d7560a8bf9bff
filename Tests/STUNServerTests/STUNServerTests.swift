import LinuxIO
import Logging
import NetTypes
import STUN
import STUNServer
import Testing
import UDPSocket

/// Sends requests and waits for answers.
private struct Client: ~Copyable {
    let socket: UDPSocket
    var poller: Poller
    var batch: PacketBatch

    init(_ local: Endpoint) throws {
        let socket = try UDPSocket(local: local)
        let poller = try Poller()
        try poller.add(socket.descriptor, token: 0)
        self.socket = socket
        self.poller = poller
        batch = PacketBatch()
    }

    /// The answers that come within a second, until there are `count`.
    mutating func receive(_ count: Int) throws -> [[UInt8]] {
        var answers: [[UInt8]] = []
        while answers.count < count, try poller.wait(timeout: .seconds(1)) > 0 {
            let received = try socket.receive(into: &batch)
            for index in 0..<received { answers.append(batch.payload(at: index).array) }
        }
        return answers
    }
}

@Suite("STUN server")
struct STUNServerTests {
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    @Test(
        "tells clients of both families where they are",
        arguments: [Endpoint("127.0.0.1:0")!, Endpoint("[::1]:0")!])
    func answers(local: Endpoint) throws {
        let server = try STUNServer(
            listeningOn: Endpoint(.v4(.any), port: 0), logger: logger)
        let port = try #require(
            server.endpoints.first { $0.address.isIPv4 == local.address.isIPv4 }
        )
        .port
        var client = try Client(local)
        let expected = Endpoint(local.address, port: client.socket.port)
        var random = SystemRandomNumberGenerator()
        var ids: Set<STUNTransactionID> = []
        for _ in 0..<300 {
            let id = STUNTransactionID(random: &random)
            ids.insert(id)
            try client.socket.send(
                STUNRequest.encode(id).span.bytes, to: Endpoint(local.address, port: port))
        }
        let answers = try client.receive(300)
        for answer in answers {
            let response = try STUNResponse(answer.span.bytes)
            #expect(response.mappedEndpoint == expected)
            #expect(ids.remove(response.id) != nil)
        }
        #expect(ids.isEmpty)
        server.stop()
        #expect(server.statistics.answered == 300)
        #expect(server.statistics.rejected == 0)
    }

    @Test("noise gets no answer, is counted, and what follows is served")
    func noise() throws {
        let server = try STUNServer(
            listeningOn: Endpoint("127.0.0.1:0")!, logger: logger)
        let target = try #require(server.endpoints.first)
        var client = try Client(Endpoint("127.0.0.1:0")!)
        let junk: [[UInt8]] = [[0], Array(repeating: 0xFF, count: 1_500), [1, 2, 3]]
        for bytes in junk { try client.socket.send(bytes.span.bytes, to: target) }
        var random = SystemRandomNumberGenerator()
        let id = STUNTransactionID(random: &random)
        try client.socket.send(STUNRequest.encode(id).span.bytes, to: target)
        let answers = try client.receive(1)
        let answer = try #require(answers.first)
        #expect(try STUNResponse(answer.span.bytes).id == id)
        server.stop()
        #expect(server.statistics.rejected == 3)
    }

    @Test("stopping frees the port, twice is as good as once, and a taken port is an error")
    func stop() throws {
        let server = try STUNServer(listeningOn: Endpoint("127.0.0.1:0")!, logger: logger)
        let endpoint = try #require(server.endpoints.first)
        #expect(throws: STUNServer.StartError.portInUse(endpoint)) {
            try STUNServer(listeningOn: endpoint, logger: logger)
        }
        server.stop()
        server.stop()
        let next = try STUNServer(listeningOn: endpoint, logger: logger)
        #expect(next.endpoints == [endpoint])
    }
}
