package import NetTypes

/// Makes whole packets, for the few a node sends of its own accord and for tests.
package enum PacketBuilder {
    /// The largest payload of an IPv4 packet without options.
    package static var payloadMax: Int { 65_535 - 20 }

    /// An IP packet with `payload` behind its header. The addresses must be of one family.
    package static func ip(
        _ number: IPProtocol, from source: IPAddress, to destination: IPAddress,
        payload: [UInt8], hopLimit: UInt8 = 64
    ) -> [UInt8] {
        precondition(payload.count <= payloadMax, "a packet has at most 65535 bytes")
        var packet: [UInt8] = []
        packet.reserveCapacity(40 + payload.count)
        switch (source, destination) {
        case (.v4(let source), .v4(let destination)):
            packet.append(contentsOf: [0x45, 0])
            packet.appendBigEndian(UInt16(20 + payload.count))
            // No identification is needed where fragmenting is forbidden (RFC 6864).
            packet.append(contentsOf: [0, 0, 0x40, 0, hopLimit, number.rawValue, 0, 0])
            packet.appendBigEndian(source.bits)
            packet.appendBigEndian(destination.bits)
            var sum = InternetChecksum()
            unsafe sum.add(packet.span.bytes)
            packet.replaceBigEndian(sum.value, at: 10)
        case (.v6(let source), .v6(let destination)):
            packet.append(contentsOf: [0x60, 0, 0, 0])
            packet.appendBigEndian(UInt16(payload.count))
            packet.append(contentsOf: [number.rawValue, hopLimit])
            packet.append(source)
            packet.append(destination)
        default: preconditionFailure("addresses of two families")
        }
        packet.append(contentsOf: payload)
        return packet
    }

    package static func udp(
        from source: Endpoint, to destination: Endpoint, payload: [UInt8]
    ) -> [UInt8] {
        var datagram: [UInt8] = []
        datagram.appendBigEndian(source.port)
        datagram.appendBigEndian(destination.port)
        datagram.appendBigEndian(UInt16(8 + payload.count))
        datagram.append(contentsOf: [0, 0])
        datagram.append(contentsOf: payload)
        let sum = checksum(of: datagram, .udp, from: source.address, to: destination.address)
        // 0 would say that there is no checksum (RFC 768).
        datagram.replaceBigEndian(sum == 0 ? 0xFFFF : sum, at: 6)
        return ip(.udp, from: source.address, to: destination.address, payload: datagram)
    }

    package static func tcp(
        from source: Endpoint, to destination: Endpoint, flags: TCPFlags, sequence: UInt32 = 0,
        acknowledgement: UInt32 = 0, window: UInt16 = 65_535, payload: [UInt8] = []
    ) -> [UInt8] {
        var segment: [UInt8] = []
        segment.appendBigEndian(source.port)
        segment.appendBigEndian(destination.port)
        segment.appendBigEndian(sequence)
        segment.appendBigEndian(acknowledgement)
        segment.append(contentsOf: [5 << 4, flags.rawValue])
        segment.appendBigEndian(window)
        segment.append(contentsOf: [0, 0, 0, 0])
        segment.append(contentsOf: payload)
        segment.replaceBigEndian(
            checksum(of: segment, .tcp, from: source.address, to: destination.address), at: 16)
        return ip(.tcp, from: source.address, to: destination.address, payload: segment)
    }

    /// An ICMP message of the version that fits the addresses; `rest` is the second word.
    package static func icmp(
        type: UInt8, code: UInt8, rest: UInt32, from source: IPAddress, to destination: IPAddress,
        payload: [UInt8]
    ) -> [UInt8] {
        var message: [UInt8] = [type, code, 0, 0]
        message.appendBigEndian(rest)
        message.append(contentsOf: payload)
        let number: IPProtocol = source.isIPv4 ? .icmpv4 : .icmpv6
        message.replaceBigEndian(
            checksum(of: message, number, from: source, to: destination), at: 2)
        return ip(number, from: source, to: destination, payload: message)
    }

    package static func echo(
        isReply: Bool = false, from source: IPAddress, to destination: IPAddress,
        identifier: UInt16, sequence: UInt16, payload: [UInt8] = []
    ) -> [UInt8] {
        icmp(
            type: source.isIPv4 ? (isReply ? 0 : 8) : (isReply ? 129 : 128), code: 0,
            rest: UInt32(identifier) << 16 | UInt32(sequence), from: source, to: destination,
            payload: payload)
    }

    package static func tsmp(
        _ message: TSMPMessage, from source: IPAddress, to destination: IPAddress
    ) -> [UInt8] {
        ip(.tsmp, from: source, to: destination, payload: message.encoded)
    }

    /// The checksum over a transport header and its data, whose own field is zero.
    private static func checksum(
        of bytes: [UInt8], _ number: IPProtocol, from source: IPAddress, to destination: IPAddress
    ) -> UInt16 {
        var sum = InternetChecksum()
        if number != .icmpv4 {
            sum.addPseudoHeader(
                source: source, destination: destination, protocol: number, byteCount: bytes.count)
        }
        unsafe sum.add(bytes.span.bytes)
        return sum.value
    }
}

extension [UInt8] {
    fileprivate mutating func replaceBigEndian(_ value: UInt16, at offset: Int) {
        self[offset] = UInt8(value >> 8)
        self[offset + 1] = UInt8(value & 0xFF)
    }
}
