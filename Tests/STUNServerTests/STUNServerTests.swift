import LinuxIO
import Logging
import NetTypes
import STUN
import STUNServer
import Testing
import UDPSocket

/// Sends requests and waits for answers.
struct Client: ~Copyable {
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

    /// The answer to one request; nil when none comes within a second.
    mutating func ask(_ server: Endpoint, _ change: STUNChange?) throws -> [UInt8]? {
        var random = SystemRandomNumberGenerator()
        let request = STUNRequest.encode(STUNTransactionID(random: &random), change: change)
        try socket.send(request.span.bytes, to: server)
        return try receive(1).first
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

    @Test("an answer comes from the other port or address when it is asked to, and says so")
    func changes() throws {
        let server = try STUNServer(
            listeningOn: Endpoint("127.0.0.1:0")!, alternate: IPAddress("127.0.0.2"), logger: logger
        )
        let target = try #require(server.endpoints.first)
        let port = try #require(server.alternateEndpoints.first).port
        #expect(server.endpoints.map(\.address) == [target.address, IPAddress("127.0.0.2")!])
        var client = try Client(Endpoint("127.0.0.1:0")!)
        var random = SystemRandomNumberGenerator()
        let expected: [(STUNChange, Endpoint)] = [
            ([], target), (.port, Endpoint(target.address, port: port)),
            (.address, Endpoint(IPAddress("127.0.0.2")!, port: target.port)),
            ([.address, .port], Endpoint(IPAddress("127.0.0.2")!, port: port)),
        ]
        for (change, origin) in expected {
            let request = STUNRequest.encode(STUNTransactionID(random: &random), change: change)
            try client.socket.send(request.span.bytes, to: target)
            let answer = try #require(try client.receive(1).first)
            let response = try STUNResponse(answer.span.bytes)
            #expect(response.origin == origin)
            #expect(client.batch.endpoint(at: 0) == origin)
            #expect(response.other == Endpoint(IPAddress("127.0.0.2")!, port: port))
        }
    }

    @Test("a server for all addresses answers from the one that was asked, and from its own port")
    func wildcard() throws {
        let server = try STUNServer(listeningOn: Endpoint("0.0.0.0:0")!, logger: logger)
        let port = try #require(server.endpoints.first).port
        let other = try #require(server.alternateEndpoints.first).port
        var client = try Client(Endpoint("127.0.0.1:0")!)
        var random = SystemRandomNumberGenerator()
        let target = Endpoint(IPAddress("127.0.0.5")!, port: port)
        for (change, origin) in [(STUNChange(), port), (.port, other)] {
            let request = STUNRequest.encode(STUNTransactionID(random: &random), change: change)
            try client.socket.send(request.span.bytes, to: target)
            let answer = try #require(try client.receive(1).first)
            #expect(client.batch.endpoint(at: 0) == Endpoint(target.address, port: origin))
            #expect(try STUNResponse(answer.span.bytes).other == nil)
        }
        let request = STUNRequest.encode(STUNTransactionID(random: &random), change: .address)
        try client.socket.send(request.span.bytes, to: target)
        let refusal = try #require(try client.receive(1).first)
        #expect(try STUNErrorResponse(refusal.span.bytes).code == 420)
    }

    @Test("a source that asks without end is answered so often and no more")
    func budget() throws {
        let server = try STUNServer(listeningOn: Endpoint("127.0.0.1:0")!, logger: logger)
        let target = try #require(server.endpoints.first)
        var client = try Client(Endpoint("127.0.0.1:0")!)
        var random = SystemRandomNumberGenerator()
        let request = STUNRequest.encode(STUNTransactionID(random: &random))
        var answered = 0
        for _ in 0..<15 {
            for _ in 0..<100 { try client.socket.send(request.span.bytes, to: target) }
            answered += try client.receive(100).count
        }
        #expect((1_000...1_400).contains(answered))
        server.stop()
        #expect(server.statistics.limited == 1_500 - answered)
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
