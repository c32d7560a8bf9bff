import NetTypes
import STUN
import Testing

func bytes(_ hex: String) -> [UInt8] { Hexadecimal.decode(hex) ?? [] }

struct SplitMix64: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

let vectorID = STUNTransactionID(bytes("0102030405060708090a0b0c").span.bytes)
let vectorRequest = bytes(
    "000100142112a4420102030405060708090a0b0c802200087461696c6e6f646580280004b32c370f")
let vectorResponse = bytes("0101000c2112a4420102030405060708090a0b0c00200008000183bbea12d545")
let vectorEndpoint = Endpoint(.v4(IPv4Address(203, 0, 113, 7)), port: 41641)

/// A message with these attributes, its header right.
func message(type: UInt16, _ attributes: [(UInt16, [UInt8])]) -> [UInt8] {
    var body: [UInt8] = []
    for (type, value) in attributes {
        body.appendBigEndian(type)
        body.appendBigEndian(UInt16(value.count))
        body += value + Array(repeating: 0, count: (4 - value.count % 4) % 4)
    }
    var message: [UInt8] = []
    message.appendBigEndian(type)
    message.appendBigEndian(UInt16(body.count))
    return message + bytes("2112a4420102030405060708090a0b0c") + body
}

@Suite("STUN client")
struct BindingClientTests {
    @Test("a request has SOFTWARE and FINGERPRINT, byte for byte")
    func request() {
        #expect(STUNRequest.encode(vectorID) == vectorRequest)
    }

    @Test("a response gives the mapped endpoint and the transaction")
    func response() throws {
        let parsed = try STUNResponse(vectorResponse.span.bytes)
        #expect(parsed.id == vectorID)
        #expect(parsed.mappedEndpoint == vectorEndpoint)
    }

    @Test("an IPv6 address is unmasked with cookie and transaction (RFC 5769 §2.3)")
    func ipv6Vector() throws {
        let response = bytes(
            "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220"
                + "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d90008001"
                + "4a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c")
        let parsed = try STUNResponse(response.span.bytes)
        #expect(
            parsed.mappedEndpoint == Endpoint("[2001:db8:1234:5678:11:2233:4455:6677]:32853"))
    }

    @Test("an IPv4 response with software, integrity and fingerprint is read (RFC 5769 §2.2)")
    func ipv4Vector() throws {
        let response = bytes(
            "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220"
                + "002000080001a147e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7"
                + "80280004c07d4c96")
        let parsed = try STUNResponse(response.span.bytes)
        #expect(parsed.mappedEndpoint == Endpoint("192.0.2.1:32853"))
    }

    @Test("XOR-MAPPED-ADDRESS wins over its draft number, and that over MAPPED-ADDRESS")
    func preference() throws {
        let plain: (UInt16, [UInt8]) = (0x0001, bytes("00011234c0000201"))
        let draft: (UInt16, [UInt8]) = (0x8020, bytes("000183bbea12d545"))
        let xored: (UInt16, [UInt8]) = (0x0020, bytes("000183bbea12d544"))
        let all = message(type: 0x0101, [plain, draft, xored])
        let two = message(type: 0x0101, [plain, draft])
        let one = message(type: 0x0101, [plain])
        #expect(try STUNResponse(all.span.bytes).mappedEndpoint == Endpoint("203.0.113.6:41641"))
        #expect(try STUNResponse(two.span.bytes).mappedEndpoint == vectorEndpoint)
        #expect(try STUNResponse(one.span.bytes).mappedEndpoint == Endpoint("192.0.2.1:4660"))
    }

    @Test("every truncation of a response is refused, none traps")
    func truncation() {
        for count in 0..<vectorResponse.count {
            let cut = Array(vectorResponse.prefix(count))
            let parsed = try? STUNResponse(cut.span.bytes)
            #expect(parsed == nil)
        }
    }

    @Test("a response with an attribute that must be understood and is not is refused")
    func unknownAttribute() throws {
        let xored: (UInt16, [UInt8]) = (0x0020, bytes("000183bbea12d545"))
        let odd = message(type: 0x0101, [xored, (0x7123, [])])
        let old = message(
            type: 0x0101, [xored, (0x0004, bytes("00010d96c0000201")), (0x9999, [1])])
        #expect(throws: STUNMessage.ParseError.unknownAttribute(0x7123)) {
            try STUNResponse(odd.span.bytes)
        }
        let read = try STUNResponse(old.span.bytes)
        #expect(read.mappedEndpoint == vectorEndpoint)
    }

    @Test("an error response gives its code; one without or with nonsense is refused")
    func errorResponse() throws {
        let unknown = message(
            type: 0x0111, [(0x0009, bytes("00000414") + Array("Unknown".utf8)), (0x000A, [0, 3])])
        #expect(try STUNErrorResponse(unknown.span.bytes).code == 420)
        #expect(try STUNErrorResponse(unknown.span.bytes).id == vectorID)
        for value in ["00000214", "00000764", "0000", "000004ff"] {
            let bad = message(type: 0x0111, [(0x0009, bytes(value))])
            let parsed = try? STUNErrorResponse(bad.span.bytes)
            #expect(parsed == nil, "\(value)")
        }
        let empty = message(type: 0x0111, [])
        let parsed = try? STUNErrorResponse(empty.span.bytes)
        #expect(parsed == nil)
    }

    @Test("a response without address, a request and a wrong fingerprint are refused")
    func refusals() {
        func error(_ datagram: [UInt8]) -> STUNMessage.ParseError? {
            do throws(STUNMessage.ParseError) {
                _ = try STUNResponse(datagram.span.bytes)
                return nil
            } catch { return error }
        }
        #expect(error(message(type: 0x0101, [])) == .noMappedAddress)
        #expect(error(vectorRequest) == .unexpectedType(0x0001))
        #expect(
            error(message(type: 0x0101, [(0x8028, [1, 2, 3, 4])])) == .wrongFingerprint)
        #expect(
            error(message(type: 0x0101, [(0x8028, [1, 2, 3, 4]), (0x8022, [])]))
                == .fingerprintNotLast)
        #expect(
            error(message(type: 0x0101, [(0x0020, [0, 3, 0, 0, 1, 2, 3, 4])])) == .malformedAddress)
    }
}

@Suite("STUN server")
struct BindingServerTests {
    @Test("the official request gets the official answer, byte for byte")
    func officialClient() {
        let response = STUNServerLogic.response(to: vectorRequest.span.bytes, from: vectorEndpoint)
        #expect(response == vectorResponse)
    }

    @Test("a request without any attribute is answered")
    func plainClient() {
        let request = message(type: 0x0001, [])
        #expect(
            STUNServerLogic.response(to: request.span.bytes, from: vectorEndpoint) == vectorResponse
        )
    }

    @Test("what the server says is what the client reads, for random endpoints of both families")
    func roundTrip() throws {
        var random = SplitMix64(state: 7)
        for _ in 0..<200 {
            let id = STUNTransactionID(random: &random)
            let address: IPAddress =
                Bool.random(using: &random)
                ? .v4(IPv4Address(bits: random.next() & 0x7FFF_FFFF | 1))
                : .v6(IPv6Address(high: 0x2001_0db8 << 32, low: random.next()))
            let source = Endpoint(address, port: random.next() | 1)
            let response = STUNServerLogic.response(
                to: STUNRequest.encode(id).span.bytes, from: source)
            let bytes = try #require(response)
            let parsed = try STUNResponse(bytes.span.bytes)
            #expect(parsed == STUNResponse(id: id, mappedEndpoint: source))
        }
    }

    @Test("a wrong fingerprint and an unusable source get no answer")
    func silence() {
        var request = vectorRequest
        request[39] ^= 1
        #expect(STUNServerLogic.response(to: request.span.bytes, from: vectorEndpoint) == nil)
        for source in ["0.0.0.0:5", "203.0.113.7:0", "[ff02::1]:7"].compactMap({ Endpoint($0) }) {
            #expect(STUNServerLogic.response(to: vectorRequest.span.bytes, from: source) == nil)
        }
    }

    @Test("a response is never answered, so two servers cannot be made to talk to each other")
    func noLoop() {
        #expect(
            STUNServerLogic.response(to: vectorResponse.span.bytes, from: vectorEndpoint) == nil)
    }

    @Test("an attribute that must be understood and is not gives 420 and its name")
    func unknownAttributes() {
        let request = message(type: 0x0001, [(0x0003, [0, 0, 0, 6]), (0x8022, []), (0x7123, [])])
        let response = STUNServerLogic.response(to: request.span.bytes, from: vectorEndpoint)
        let expected =
            bytes("011100102112a4420102030405060708090a0b0c")
            + bytes("0009000400000414000a000471230003")
        #expect(response == expected)
    }

    @Test("the request of RFC 5769 §2.1 has a right fingerprint and an attribute of ICE")
    func sampleRequest() {
        let request = bytes(
            "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74"
                + "002400046e0001ff80290008932ff9b151263b36000600096576746a3a68367659202020"
                + "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf")
        let response = STUNServerLogic.response(to: request.span.bytes, from: vectorEndpoint)
        // PRIORITY must be understood, and a plain STUN server does not.
        #expect(response?[26...27] == [4, 20])
        #expect(response?[32...33] == [0x00, 0x24])
    }

    @Test(
        "the request of RFC 5769 §2.4, with credentials, is answered by a server that asks for none"
    )
    func longTermRequest() {
        let request = bytes(
            "000100602112a44278ad3433c6ad72c029da412e00060012e3839ee38388e383aae38383e382afe382b90000"
                + "0015001c662f2f3439396b39353464364f4c33346f4c39465354767936347341"
                + "0014000b6578616d706c652e6f72670000080014f67024656dd64a3e02b8e0712e85c9a28ca89666"
        )
        let response = STUNServerLogic.response(to: request.span.bytes, from: vectorEndpoint)
        #expect(response?.count == 32)
    }

    @Test("any number of unknown attributes gives an answer no longer than the request by 24 bytes")
    func amplification() throws {
        for count in 0...40 {
            let attributes = (0..<count).map { (UInt16(0x7000 + $0), [UInt8]()) }
            let request = message(type: 0x0001, attributes)
            let response = STUNServerLogic.response(
                to: request.span.bytes, from: Endpoint(.v6(.loopback), port: 1))
            let size = try #require(response).count
            #expect(size <= request.count + 24)
        }
    }
}

@Suite("STUN of official nodes")
struct CapturedBindingTests {
    @Test("our server answers captured requests with the captured responses, byte for byte")
    func responses() {
        let source = Endpoint(.v4(IPv4Address(10, 99, 0, 2)), port: 41641)
        let exchanges = [
            (
                "000100142112a4426f4969ad1336563b4cc49dbc802200087461696c6e6f646580280004771e"
                    + "ab39",
                "0101000c2112a4426f4969ad1336563b4cc49dbc00200008000183bb2b71a440"
            ),
            (
                "000100142112a44284dd8f57d01da7b70e63a2b2802200087461696c6e6f646580280004efae"
                    + "569e",
                "0101000c2112a44284dd8f57d01da7b70e63a2b200200008000183bb2b71a440"
            ),
            (
                "000100142112a442d5c162375ef87ce88532079d802200087461696c6e6f6465802800043393"
                    + "b7b8",
                "0101000c2112a442d5c162375ef87ce88532079d00200008000183bb2b71a440"
            ),
            (
                "000100142112a4424110deac9ef056bc1183a0db802200087461696c6e6f6465802800041232"
                    + "f14a",
                "0101000c2112a4424110deac9ef056bc1183a0db00200008000183bb2b71a440"
            ),
        ]
        for (request, response) in exchanges {
            let answer = STUNServerLogic.response(to: bytes(request).span.bytes, from: source)
            #expect(answer == bytes(response))
        }
    }
}
