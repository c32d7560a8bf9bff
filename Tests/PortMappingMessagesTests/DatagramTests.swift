import NetTypes
import PortMappingMessages
import Testing

@Suite("NAT-PMP and PCP bytes") struct DatagramTests {
    @Test("NAT-PMP requests have the layout of RFC 6886 §3.2 and §3.3")
    func natPMPRequests() {
        #expect(NATPMPRequest.externalAddress == [0, 0])
        #expect(
            NATPMPRequest.mapUDP(internalPort: 0x1234, externalPort: 0x5678, lifetime: 7200)
                == [0, 1, 0, 0, 0x12, 0x34, 0x56, 0x78, 0, 0, 0x1C, 0x20])
    }

    @Test("NAT-PMP responses are read, failures with their result")
    func natPMPResponses() throws {
        let address = try natPMP([0, 128, 0, 0, 0, 0, 0, 9, 203, 0, 113, 7])
        #expect(address.content == .externalAddress(IPv4Address(203, 0, 113, 7)))
        #expect(address.epoch == 9)
        let mapped = try natPMP([
            0, 129, 0, 0, 0, 0, 1, 0, 0x12, 0x34, 0x56, 0x78, 0, 0, 0x1C, 0x20,
        ])
        #expect(
            mapped.content
                == .mapped(internalPort: 0x1234, externalPort: 0x5678, lifetime: 7200))
        #expect(try natPMP([0, 129, 0, 2, 0, 0, 0, 1]).content == .failed(result: 2))
    }

    @Test("What is no NAT-PMP response is an error that says why")
    func natPMPErrors() {
        #expect(throws: PortMappingParseError.truncated(needed: 8, have: 3)) {
            try natPMP([0, 128, 0])
        }
        #expect(throws: PortMappingParseError.truncated(needed: 16, have: 12)) {
            try natPMP([0, 129, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0])
        }
        #expect(throws: PortMappingParseError.unexpectedVersion(2)) {
            try natPMP([2, 128, 0, 0, 0, 0, 0, 0])
        }
        #expect(throws: PortMappingParseError.unexpectedOpcode(1)) {
            try natPMP([0, 1, 0, 0, 0, 0, 0, 0])
        }
    }

    @Test("A PCP MAP request has the layout of RFC 6887 §7.1 and §11.1")
    func pcpRequest() throws {
        let nonce = try #require(PCPNonce(Array(1...12)))
        let bytes = PCPRequest.mapUDP(
            client: .v4(IPv4Address(192, 168, 1, 10)), nonce: nonce, internalPort: 41641,
            suggested: Endpoint(.v4(.any), port: 41641), lifetime: 7200)
        let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
        var expected: [UInt8] = [2, 1, 0, 0, 0, 0, 0x1C, 0x20] + mapped + [192, 168, 1, 10]
        expected += Array(1...12) + [17, 0, 0, 0, 0xA2, 0xA9, 0xA2, 0xA9] + mapped + [0, 0, 0, 0]
        #expect(bytes == expected)
        #expect(bytes.count == 60)
        #expect(PCPRequest.announce(client: .v6(.loopback)).count == 24)
    }

    @Test("A PCP MAP response is read: nonce, ports, address of either family")
    func pcpResponse() throws {
        let nonce = try #require(PCPNonce(Array(1...12)))
        for text in ["203.0.113.7:5000", "[2001:db8::7]:5000"] {
            let external = try #require(Endpoint(text))
            let response = try pcp(pcpMapResponse(nonce: nonce, external: external))
            #expect(response.result == 0)
            #expect(response.lifetime == 3600)
            #expect(response.epoch == 77)
            #expect(
                response.content
                    == .mapped(nonce: nonce, internalPort: 41641, external: external))
        }
    }

    @Test("What is no PCP response is an error")
    func pcpErrors() throws {
        let nonce = try #require(PCPNonce(Array(1...12)))
        var bytes = pcpMapResponse(nonce: nonce, external: Endpoint("203.0.113.7:5000")!)
        #expect(throws: PortMappingParseError.truncated(needed: 60, have: 59)) {
            try pcp(Array(bytes.prefix(59)))
        }
        #expect(throws: PortMappingParseError.tooLong(1200)) {
            try pcp(bytes + [UInt8](repeating: 0, count: 1140))
        }
        bytes[36] = 6
        #expect(throws: PortMappingParseError.malformed) { try pcp(bytes) }
    }

    private func natPMP(_ bytes: [UInt8]) throws -> NATPMPResponse {
        try NATPMPResponse(parsing: bytes.span.bytes)
    }
    private func pcp(_ bytes: [UInt8]) throws -> PCPResponse {
        try PCPResponse(parsing: bytes.span.bytes)
    }
}

func pcpMapResponse(nonce: PCPNonce, external: Endpoint) -> [UInt8] {
    var bytes: [UInt8] = [2, 129, 0, 0]
    bytes.appendBigEndian(3600 as UInt32)
    bytes.appendBigEndian(77 as UInt32)
    bytes += [UInt8](repeating: 0, count: 12) + nonce.bytes + [17, 0, 0, 0]
    bytes.appendBigEndian(41641 as UInt16)
    bytes.appendBigEndian(external.port)
    bytes.append(external.address.mapped)
    return bytes
}
