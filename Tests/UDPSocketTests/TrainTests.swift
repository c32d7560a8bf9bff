import LinuxIO
import NetTypes
import Testing
import UDPSocket

@Suite struct TrainTests {
    private func append(
        _ bytes: [UInt8], to buffer: inout SendBuffer, _ endpoint: Endpoint, ecn: UInt8 = 0,
        socket: UInt32 = 0
    ) {
        var free = buffer.free
        free.copy(bytes.span.bytes, at: 0)
        buffer.append(
            byteCount: bytes.count, to: .init(endpoint, ecn: ecn, socket: socket))
    }

    private func receiveAll(_ socket: borrowing UDPSocket) throws -> [(bytes: [UInt8], ecn: UInt8)]
    {
        var buffer = ReceiveBuffer()
        var all: [(bytes: [UInt8], ecn: UInt8)] = []
        while try socket.receive(into: &buffer) > 0 {
            for index in 0..<buffer.trainCount {
                let train = buffer.train(at: index)
                #expect(train.source?.address == UDPSocketTests.loopback[socket.family])
                var start = train.range.lowerBound
                while start < train.range.upperBound {
                    let end = min(start + train.segmentByteCount, train.range.upperBound)
                    let bytes = buffer.bytes.extracting(start..<end).array
                    all.append((bytes, train.ecn))
                    start = end
                }
            }
        }
        return all
    }

    @Test(
        "Trains arrive whole and in order, with and without help of the kernel",
        arguments: [UDPSocket.Family.v4, .v6], [0, 1, 2, 3])
    func trains(family: UDPSocket.Family, help: Int) throws {
        let sender = try UDPSocket(family: family)
        let receiver = try UDPSocket(family: family)
        var offloads = try sender.wantTrains()
        if help & 1 == 0 { offloads.segments = false }
        if help & 2 == 0 { _ = try receiver.wantTrains() }
        let address = try #require(UDPSocketTests.loopback[family])
        let endpoint = Endpoint(address, port: receiver.port)
        var buffer = SendBuffer()
        // More of one length than a train carries, a shorter one, longer ones, each with its number.
        let sizes =
            [Int](repeating: 1312, count: 70) + [100] + [Int](repeating: 1400, count: 3) + [1]
        let datagrams = sizes.enumerated().map { [UInt8](repeating: UInt8($0), count: $1) }
        for datagram in datagrams { append(datagram, to: &buffer, endpoint) }
        let trainCount = buffer.trainCount
        #expect(trainCount == 3)
        let outcome = sender.send(buffer, offloads: &offloads)
        #expect(outcome == .init(sent: sizes.count))
        let received = try receiveAll(receiver)
        #expect(received.map(\.bytes) == datagrams)
    }

    @Test("Each datagram keeps its ECN mark", arguments: [UDPSocket.Family.v4, .v6])
    func marks(family: UDPSocket.Family) throws {
        let sender = try UDPSocket(family: family)
        let receiver = try UDPSocket(family: family)
        var offloads = try sender.wantTrains()
        _ = try receiver.wantTrains()
        let address = try #require(UDPSocketTests.loopback[family])
        let endpoint = Endpoint(address, port: receiver.port)
        var buffer = SendBuffer()
        let marks: [UInt8] = [0, 0, 2, 2, 2, 3, 1, 0]
        for (index, mark) in marks.enumerated() {
            append([UInt8](repeating: UInt8(index), count: 50), to: &buffer, endpoint, ecn: mark)
        }
        let trainCount = buffer.trainCount
        #expect(trainCount == 5)
        _ = sender.send(buffer, offloads: &offloads)
        let received = try receiveAll(receiver)
        #expect(received.map(\.ecn) == marks)
    }

    @Test func `Datagrams of several receivers and sockets do not get into one train`() throws {
        let sender = try UDPSocket(family: .v4)
        let receivers = [try Receiver(), try Receiver()]
        var offloads = try sender.wantTrains()
        var buffer = SendBuffer()
        for number in 0..<6 as Range<UInt8> {
            let endpoint = receivers[Int(number % 2)].endpoint
            append([number, number], to: &buffer, endpoint)
        }
        append([9, 9], to: &buffer, receivers[1].endpoint, socket: 7)
        var aside: [UInt32] = []
        buffer.takeSideTrains { number, trains in
            aside.append(number)
            #expect(trains.count == 1)
        }
        #expect(aside == [7])
        let outcome = sender.send(buffer, offloads: &offloads)
        #expect(outcome == .init(sent: 6))
        for (index, receiver) in receivers.enumerated() {
            let received = try receiveAll(receiver.socket)
            let expected = stride(from: UInt8(index), to: 6, by: 2).map { [$0, $0] }
            #expect(received.map(\.bytes) == expected)
        }
    }

    @Test func `A train the kernel refuses is counted and the others still go`() throws {
        let sender = try UDPSocket(family: .v4)
        let receiver = try Receiver()
        var offloads = try sender.wantTrains()
        var buffer = SendBuffer()
        append([1], to: &buffer, receiver.endpoint)
        // Port 0 is invalid.
        for _ in 0..<3 { append([2], to: &buffer, Endpoint(.v4(.loopback), port: 0)) }
        append([3], to: &buffer, receiver.endpoint)
        append([4], to: &buffer, Endpoint(.v6(.loopback), port: 9))
        let outcome = sender.send(buffer, offloads: &offloads)
        #expect(
            outcome == .init(sent: 2, refused: 3, lastError: SystemError.invalidArgument))
        let received = try receiveAll(receiver.socket)
        #expect(received.map(\.bytes) == [[1], [3]])
    }

    @Test func `Segments that do not fit the link are refused one by one`() throws {
        let sender = try UDPSocket(family: .v4)
        let receiver = try Receiver()
        var offloads = try sender.wantTrains()
        var buffer = SendBuffer()
        // Larger than any datagram of two in one train can be sent: the loopback carries 65,536 bytes.
        for _ in 0..<2 {
            append([UInt8](repeating: 1, count: 30_000), to: &buffer, receiver.endpoint)
        }
        let outcome = sender.send(buffer, offloads: &offloads)
        #expect(outcome == .init(sent: 2))
        let received = try receiveAll(receiver.socket)
        #expect(received.map(\.bytes.count) == [30_000, 30_000])
    }

    @Test func `Memory that was given back can be used again`() throws {
        let sender = try UDPSocket(family: .v4)
        let receiver = try Receiver()
        var offloads = try sender.wantTrains()
        var buffer = SendBuffer()
        for round in 0..<3 as Range<UInt8> {
            append([round], to: &buffer, receiver.endpoint)
            _ = sender.send(buffer, offloads: &offloads)
            buffer.releaseMemory()
            let isEmpty = buffer.isEmpty
            #expect(isEmpty)
        }
        let received = try receiveAll(receiver.socket)
        #expect(received.map(\.bytes) == [[0], [1], [2]])
    }
}

private final class Receiver {
    let socket: UDPSocket
    var endpoint: Endpoint { Endpoint(.v4(.loopback), port: socket.port) }

    init() throws {
        socket = try UDPSocket(family: .v4)
        _ = try socket.wantTrains()
    }
}
