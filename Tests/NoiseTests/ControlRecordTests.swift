import NetTypes
import Noise
import Testing

@Suite("control channel records")
struct ControlRecordTests {
    @Test func longTextIsCutIntoRecordsOfAtMost4096Bytes() throws {
        var client = try client()
        var server = try server()
        let text = (0..<10_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        var stream: [UInt8] = []
        try client.seal(text.span.bytes, appendingTo: &stream)
        #expect(stream.count == 10_000 + 3 * 19)
        let records = try frames(stream)
        #expect(records.map { $0.body.count + 3 } == [4096, 4096, 1865])
        var opened: [UInt8] = []
        for record in records { opened += try server.open(record) }
        #expect(opened == text)
        var nothing: [UInt8] = []
        try client.seal(RawSpan(), appendingTo: &nothing)
        #expect(nothing.isEmpty)
    }

    @Test(arguments: [1, 2, 3, 7, 1000, 4095, 4096, 4097])
    func framesAreFoundHoweverTheStreamIsCut(_ size: Int) throws {
        var client = try client()
        var server = try server()
        var stream: [UInt8] = []
        var sent: [UInt8] = []
        for length in [1, 4077, 17, 0, 9000, 3] {
            let text = [UInt8](repeating: UInt8(length & 0xFF), count: length)
            try client.seal(text.span.bytes, appendingTo: &stream)
            sent += text
        }
        var splitter = ControlFrameSplitter()
        var opened: [UInt8] = []
        var start = 0
        while start < stream.count {
            let chunk = Array(stream[start..<min(stream.count, start + size)])
            start += size
            var offset = 0
            while let frame = try splitter.next(chunk.span.bytes, from: &offset) {
                opened += try server.open(frame)
            }
            #expect(offset == chunk.count)
            #expect(splitter.pendingByteCount < 4096)
        }
        #expect(opened == sent)
        #expect(splitter.pendingByteCount == 0)
    }

    @Test func unknownTypesAndOversizedLengthsEndTheStreamAtTheHeader() throws {
        #expect(throws: ControlFrameSplitter.StreamError.unknownType(0x16)) {
            _ = try frames([0x16, 0, 1])
        }
        #expect(throws: ControlFrameSplitter.StreamError.oversized(length: 4094)) {
            _ = try frames([4, 0x0F, 0xFE])
        }
        #expect(try frames([4, 0x0F, 0xFD]) == [])
    }

    @Test func changedReorderedAndRepeatedRecordsAreRefused() throws {
        var client = try client()
        var server = try server()
        var stream: [UInt8] = []
        for word in ["one", "two"] {
            try client.seal(Array(word.utf8).span.bytes, appendingTo: &stream)
        }
        let records = try frames(stream)
        #expect(throws: ControlSession.RecordError.notAuthentic) { _ = try server.open(records[1]) }
        var changed = records[0]
        changed.body[0] ^= 1
        #expect(throws: ControlSession.RecordError.notAuthentic) { _ = try server.open(changed) }
        let first = try server.open(records[0])
        #expect(first == Array("one".utf8))
        #expect(throws: ControlSession.RecordError.notAuthentic) { _ = try server.open(records[0]) }
        let second = try server.open(records[1])
        #expect(second == Array("two".utf8))
        #expect(throws: ControlSession.RecordError.truncated(have: 15)) {
            _ = try server.open(ControlFrame(kind: .record, body: Array(repeating: 0, count: 15)))
        }
        #expect(throws: ControlSession.RecordError.unexpectedFrame(2)) {
            _ = try server.open(ControlFrame(kind: .response, body: []))
        }
    }

    private func client() throws -> ControlSession {
        try Vector.initiator().finish(try frames(Vector.response)[0])
    }
    private func server() throws -> ControlSession { try Vector.responder().session() }
}
