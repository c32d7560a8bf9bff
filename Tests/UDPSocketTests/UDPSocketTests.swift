import LinuxIO
import NetTypes
import Testing
import UDPSocket

@Suite struct UDPSocketTests {
    static let loopback: [UDPSocket.Family: IPAddress] = [.v4: .v4(.loopback), .v6: .v6(.loopback)]

    /// Receives until `expected` datagrams have come; the loopback delivers before `send` returns.
    private func receiveAll(_ socket: borrowing UDPSocket, _ expected: Int) throws -> [[UInt8]] {
        var batch = PacketBatch()
        var received: [[UInt8]] = []
        while received.count < expected {
            let count = try socket.receive(into: &batch)
            if count == 0 { break }
            for index in 0..<count { received.append(batch.payload(at: index).array) }
        }
        return received
    }

    @Test(
        "A batch of datagrams arrives in order with the sender's address",
        arguments: [UDPSocket.Family.v4, .v6])
    func batch(family: UDPSocket.Family) throws {
        let sender = try UDPSocket(family: family)
        let receiver = try UDPSocket(family: family)
        let address = try #require(Self.loopback[family])
        var batch = PacketBatch()
        for index in 0..<PacketBatch.capacity {
            let bytes = [UInt8](repeating: UInt8(index), count: 1 + index * 20)
            batch.append(bytes.span.bytes, endpoint: Endpoint(address, port: receiver.port))
        }
        let isFull = batch.isFull
        #expect(isFull)
        let outcome = sender.send(batch)
        #expect(outcome == .init(sent: 64, next: 64))
        var received = PacketBatch()
        let count = try receiver.receive(into: &received)
        #expect(count == 64)
        for index in 0..<count {
            let payload = received.payload(at: index).array
            #expect(payload == [UInt8](repeating: UInt8(index), count: 1 + index * 20))
            let source = received.endpoint(at: index)
            #expect(source == Endpoint(address, port: sender.port))
            let headroom = received.payloadRange(at: index).lowerBound
            #expect(headroom == 64)
        }
        let rest = try receiver.receive(into: &received)
        #expect(rest == 0)
    }

    @Test func `Slots without payload, endpoint or of the other family are left out`() throws {
        let sender = try UDPSocket(family: .v4)
        let receiver = try UDPSocket(family: .v4)
        let endpoint = Endpoint(.v4(.loopback), port: receiver.port)
        var batch = PacketBatch()
        batch.append(([1] as [UInt8]).span.bytes, endpoint: endpoint)
        batch.append(([2] as [UInt8]).span.bytes)
        batch.append(([3] as [UInt8]).span.bytes, endpoint: Endpoint(.v6(.loopback), port: 9))
        batch.append(([4] as [UInt8]).span.bytes, endpoint: endpoint)
        batch.drop(at: 3)
        batch.append(([5] as [UInt8]).span.bytes, endpoint: endpoint)
        let outcome = sender.send(batch)
        #expect(outcome == .init(sent: 2, next: 5))
        let received = try receiveAll(receiver, 2)
        #expect(received == [[1], [5]])
    }

    @Test func `A datagram the kernel refuses is counted and the others still go`() throws {
        let sender = try UDPSocket(family: .v4)
        let receiver = try UDPSocket(family: .v4)
        let endpoint = Endpoint(.v4(.loopback), port: receiver.port)
        // Sending to port 0 is invalid, to the broadcast address forbidden.
        let refused = [
            Endpoint(.v4(.loopback), port: 0), Endpoint(.v4(IPv4Address(bits: ~0)), port: 9),
        ]
        for position in 0..<4 {
            var batch = PacketBatch()
            for index in 0..<4 {
                let isRefused = index == position || index == (position + 1) % 4
                batch.append(
                    [UInt8(index)].span.bytes,
                    endpoint: isRefused ? refused[index % 2] : endpoint)
            }
            let outcome = sender.send(batch)
            #expect(outcome.sent == 2)
            #expect(outcome.refused == 2)
            #expect(outcome.lastError != nil)
            #expect(outcome.next == 4)
            let received = try receiveAll(receiver, 2)
            #expect(received.count == 2)
        }
    }

    @Test func `A payload sealed in place is sent with its new bounds`() throws {
        let sender = try UDPSocket(family: .v4)
        let receiver = try UDPSocket(family: .v4)
        var batch = PacketBatch()
        batch.append(
            ([7, 8] as [UInt8]).span.bytes, endpoint: Endpoint(.v4(.loopback), port: receiver.port))
        let range = batch.payloadRange(at: 0)
        var slot = batch.slot(at: 0)
        slot.storeBigEndian(UInt32(0x0102_0304), at: range.lowerBound - 4)
        slot.storeBigEndian(UInt8(9), at: range.upperBound)
        batch.setPayload(range.lowerBound - 4..<range.upperBound + 1, at: 0)
        _ = sender.send(batch)
        let received = try receiveAll(receiver, 1)
        #expect(received == [[1, 2, 3, 4, 7, 8, 9]])
    }

    @Test func `A datagram larger than a slot is counted and not delivered`() throws {
        let sender = try UDPSocket(family: .v4)
        let receiver = try UDPSocket(family: .v4)
        var batch = PacketBatch(slotByteCount: 256, headroom: 32, tailroom: 32)
        let endpoint = Endpoint(.v4(.loopback), port: receiver.port)
        try sender.send([UInt8](repeating: 1, count: 193).span.bytes, to: endpoint)
        try sender.send([UInt8](repeating: 2, count: 192).span.bytes, to: endpoint)
        let count = try receiver.receive(into: &batch)
        #expect(count == 2)
        let truncated = batch.truncatedCount
        #expect(truncated == 1)
        let sizes = [batch.payload(at: 0).byteCount, batch.payload(at: 1).byteCount]
        #expect(sizes == [0, 192])
    }

    @Test func `A port in use is said to be`() throws {
        let first = try UDPSocket(family: .v4)
        let port = first.port
        #expect(throws: UDPSocket.OpenError.portInUse(port)) {
            _ = try UDPSocket(family: .v4, port: port)
        }
        let second = try UDPSocket(family: .v6, port: port)
        #expect(second.port == port)
    }

    @Test func `Sending goes on from the slot that is named`() throws {
        let sender = try UDPSocket(family: .v4)
        let receiver = try UDPSocket(family: .v4)
        var batch = PacketBatch()
        for index in 0..<10 {
            batch.append(
                [UInt8(index)].span.bytes, endpoint: Endpoint(.v4(.loopback), port: receiver.port))
        }
        let outcome = sender.send(batch, from: 7)
        #expect(outcome == .init(sent: 3, next: 10))
        let received = try receiveAll(receiver, 3)
        #expect(received == [[7], [8], [9]])
    }
}
