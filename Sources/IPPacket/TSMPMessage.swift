import NetTypes

/// A message of protocol 99 between the nodes of a mesh, inside the tunnel (data protocol, "Special").
package enum TSMPMessage: Equatable, Sendable {
    package enum RejectReason: UInt8, Sendable {
        case accessDenied = 0x41  // A
        case shieldsUp = 0x53  // S
        case forwardingDisabled = 0x46  // F
        case hostFirewall = 0x57  // W
        case unknownTransitAddress = 0x54  // T
    }
    /// Tests the tunnel to a node, not its host.
    case ping(token: UInt64)
    case pong(token: UInt64, peerAPIPort: UInt16)
    /// Says why a packet of ours was dropped; the ports are those of that packet.
    case reject(
        IPProtocol, reason: RejectReason, sourcePort: UInt16, destinationPort: UInt16,
        maybeBroken: Bool)

    /// Nil when `payload` is no message of a kind or reason we know.
    package init?(parsing payload: RawSpan) {
        guard payload.byteCount >= 1 else { return nil }
        switch payload.byte(at: 0) {
        case UInt8(ascii: "p") where payload.byteCount >= 9:
            self = .ping(token: payload.bigEndian(at: 1))
        case UInt8(ascii: "o") where payload.byteCount >= 9:
            // The port was added later than the message.
            self = .pong(
                token: payload.bigEndian(at: 1),
                peerAPIPort: payload.byteCount >= 11 ? payload.bigEndian(at: 9) : 0)
        case UInt8(ascii: "!") where payload.byteCount >= 7:
            guard let reason = RejectReason(rawValue: payload.byte(at: 2)) else { return nil }
            self = .reject(
                IPProtocol(rawValue: payload.byte(at: 1)), reason: reason,
                sourcePort: payload.bigEndian(at: 3), destinationPort: payload.bigEndian(at: 5),
                maybeBroken: payload.byteCount >= 8 && payload.byte(at: 7) & 1 != 0)
        default: return nil
        }
    }

    /// The payload of the IP packet.
    package var encoded: [UInt8] {
        var bytes: [UInt8] = []
        switch self {
        case .ping(let token):
            bytes.append(UInt8(ascii: "p"))
            bytes.appendBigEndian(token)
        case .pong(let token, let port):
            bytes.append(UInt8(ascii: "o"))
            bytes.appendBigEndian(token)
            bytes.appendBigEndian(port)
        case .reject(let number, let reason, let sourcePort, let destinationPort, let maybeBroken):
            bytes.append(contentsOf: [UInt8(ascii: "!"), number.rawValue, reason.rawValue])
            bytes.appendBigEndian(sourcePort)
            bytes.appendBigEndian(destinationPort)
            if maybeBroken { bytes.append(1) }
        }
        return bytes
    }
}
