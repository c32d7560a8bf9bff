import NetTypes
import Testing
import WireGuardMessages

@Suite("WireGuard messages")
struct MessageTests {
    @Test func theKindNeedsTheRightLengthAndThreeZeroBytes() {
        func kind(_ type: UInt8, _ count: Int, reserved: UInt8 = 0) -> MessageKind? {
            var message = [UInt8](repeating: 0, count: count)
            if count > 0 { message[0] = type }
            if count > 3 { message[3] = reserved }
            return MessageKind(of: message.span.bytes)
        }
        #expect(kind(1, 148) == .initiation)
        #expect(kind(2, 92) == .response)
        #expect(kind(3, 64) == .cookieReply)
        #expect(kind(4, 32) == .transport && kind(4, 1500) == .transport)
        for (type, count) in [(1, 147), (1, 149), (2, 91), (2, 93), (3, 63), (3, 65), (4, 31)] {
            #expect(kind(UInt8(type), count) == nil, "type \(type), \(count) bytes")
        }
        #expect(kind(1, 148, reserved: 1) == nil)
        #expect(kind(0, 148) == nil && kind(5, 148) == nil)
        #expect(kind(1, 0) == nil && kind(1, 1) == nil)
    }

    @Test func handshakeMessagesReadBackWhatWasWritten() {
        let key = Bytes32((0..<32).map { UInt8($0) })
        let initiation = InitiationMessage.encode(
            senderIndex: 0x0102_0304, ephemeral: key,
            sealedStatic: [UInt8](repeating: 7, count: 48),
            sealedTimestamp: [UInt8](repeating: 8, count: 28))
        #expect(Array(initiation.prefix(8)) == [1, 0, 0, 0, 4, 3, 2, 1])
        let first = InitiationMessage(initiation.span.bytes)
        let firstFields = (
            first.senderIndex, first.ephemeral, first.sealedStatic.array,
            first.sealedTimestamp.array
        )
        #expect(firstFields.0 == 0x0102_0304 && firstFields.1 == key)
        #expect(firstFields.2 == [UInt8](repeating: 7, count: 48))
        #expect(firstFields.3 == [UInt8](repeating: 8, count: 28))
        #expect(MessageMACs.mac1(in: 148) == 116..<132 && MessageMACs.mac2(in: 148) == 132..<148)

        let response = ResponseMessage.encode(
            senderIndex: 5, receiverIndex: 6, ephemeral: key,
            sealedEmpty: [UInt8](repeating: 9, count: 16))
        let second = ResponseMessage(response.span.bytes)
        let secondFields = (
            second.senderIndex, second.receiverIndex, second.ephemeral, second.sealedEmpty.array
        )
        #expect(secondFields.0 == 5 && secondFields.1 == 6 && secondFields.2 == key)
        #expect(secondFields.3 == [UInt8](repeating: 9, count: 16))
        #expect(MessageMACs.mac1(in: 92) == 60..<76)

        let reply = CookieReplyMessage.encode(
            receiverIndex: 77, nonce: [UInt8](repeating: 1, count: 24),
            sealedCookie: [UInt8](repeating: 2, count: 32))
        let third = CookieReplyMessage(reply.span.bytes)
        let thirdFields = (third.receiverIndex, third.nonce.array, third.sealedCookie.array)
        #expect(thirdFields.0 == 77 && thirdFields.1 == [UInt8](repeating: 1, count: 24))
        #expect(thirdFields.2 == [UInt8](repeating: 2, count: 32))
    }

    @Test func theTransportHeaderIsLittleEndian() {
        var message = [UInt8](repeating: 0xFF, count: 18)
        var span = message.mutableSpan
        var bytes = span.mutableBytes
        TransportMessage.writeHeader(
            &bytes, at: 1, receiverIndex: 0x0A0B_0C0D, counter: 0x0102_0304_0506_0708)
        #expect(
            message == [
                0xFF, 4, 0, 0, 0, 0x0D, 0x0C, 0x0B, 0x0A, 8, 7, 6, 5, 4, 3, 2, 1, 0xFF,
            ])
    }

    @Test func paddingEndsAtTheMTU() {
        #expect(TransportMessage.padding(count: 0, mtu: 1280) == 0)
        #expect(TransportMessage.padding(count: 1, mtu: 1280) == 15)
        #expect(TransportMessage.padding(count: 1280, mtu: 1280) == 0)
        #expect(TransportMessage.padding(count: 1279, mtu: 1280) == 1)
        #expect(TransportMessage.padding(count: 1415, mtu: 1420) == 5)
        #expect(TransportMessage.padding(count: 1419, mtu: 1420) == 1)
        #expect(TransportMessage.padding(count: 1281, mtu: 1280) == 15)
        #expect(TransportMessage.padding(count: 33, mtu: 0) == 15)
    }

    // Data protocol §14.
    @Test func timestampsMatchTheReference() {
        let time = Timestamp(unixSeconds: 1_700_000_000, nanoseconds: 123_456_789)
        #expect(Hexadecimal.encode(TAI64N(time).array) == "400000006553f10a07000000")
        let bytes = TAI64N(time).array
        #expect(TAI64N(bytes.span.bytes) == TAI64N(time))
    }

    @Test func theSuccessorIsLaterAndWhitened() {
        var stamp = TAI64N(Timestamp(unixSeconds: 5, nanoseconds: 990_000_000))
        for _ in 0..<200 {
            let next = stamp.successor
            #expect(next > stamp)
            #expect(next.nanoseconds % (1 << 24) == 0 && next.nanoseconds < 1_000_000_000)
            #expect(next.array.lexicographicallyPrecedes(stamp.array) == false)
            stamp = next
        }
        #expect(TAI64N(Timestamp(unixSeconds: -9)) == TAI64N(Timestamp(unixSeconds: 0)))
    }
}
