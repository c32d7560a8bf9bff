internal import NetTypes

/// The first byte of a DERP frame (data-protocol §4.2). The numbers are hexadecimal.
public struct FrameType: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt8
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

    @inlinable package static var serverKey: Self { Self(rawValue: 0x01) }
    @inlinable package static var clientInfo: Self { Self(rawValue: 0x02) }
    @inlinable package static var serverInfo: Self { Self(rawValue: 0x03) }
    @inlinable package static var sendPacket: Self { Self(rawValue: 0x04) }
    @inlinable package static var receivePacket: Self { Self(rawValue: 0x05) }
    @inlinable package static var keepAlive: Self { Self(rawValue: 0x06) }
    @inlinable package static var notePreferred: Self { Self(rawValue: 0x07) }
    @inlinable package static var peerGone: Self { Self(rawValue: 0x08) }
    @inlinable package static var peerPresent: Self { Self(rawValue: 0x09) }
    @inlinable package static var forwardPacket: Self { Self(rawValue: 0x0A) }
    @inlinable package static var watchConnections: Self { Self(rawValue: 0x10) }
    @inlinable package static var closePeer: Self { Self(rawValue: 0x11) }
    @inlinable package static var ping: Self { Self(rawValue: 0x12) }
    @inlinable package static var pong: Self { Self(rawValue: 0x13) }
    @inlinable package static var health: Self { Self(rawValue: 0x14) }
    @inlinable package static var restarting: Self { Self(rawValue: 0x15) }

    @inlinable var isKnown: Bool {
        (0x01...0x0A).contains(rawValue) || (0x10...0x15).contains(rawValue)
    }
}

/// Sizes of DERP, in bytes.
package enum DERPSizes {
    /// Type and length in front of each payload.
    @inlinable package static var header: Int { 5 }
    @inlinable package static var key: Int { 32 }
    /// The largest packet a relay carries.
    @inlinable package static var packetMax: Int { 64 << 10 }
    @inlinable package static var clientInfoMax: Int { 256 << 10 }
    /// The largest frame a client accepts.
    @inlinable package static var clientFrameMax: Int { 1 << 20 }
}

/// Bytes that are not DERP, or a frame larger than its bound. The connection is beyond repair.
package enum FrameError: Error, Hashable, Sendable {
    case tooLong(FrameType, byteCount: Int, limit: Int)
    case malformed(FrameType)
    /// The first frame of a server did not begin with "DERP🔑".
    case wrongMagic
    /// A sealed login frame did not open: the other side does not hold the key it names.
    case notAuthentic(FrameType)
}

extension FrameError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .tooLong(let type, let byteCount, let limit):
            "a relay frame of type \(type.rawValue) has \(byteCount) bytes, more than \(limit)"
        case .malformed(let type): "a relay frame of type \(type.rawValue) is malformed"
        case .wrongMagic: "the other side does not speak DERP"
        case .notAuthentic(let type):
            "the login frame of type \(type.rawValue) does not open with the expected key"
        }
    }
}

/// How long a payload of each type may be.
package struct FrameLimits: Sendable {
    /// Applies to everything but the types named below.
    var general: Int
    var clientInfo: Int
    var packet: Int

    /// What a relay accepts from its clients.
    package static var server: Self {
        Self(
            general: 4 << 10, clientInfo: DERPSizes.clientInfoMax,
            packet: DERPSizes.packetMax + DERPSizes.key)
    }
    /// What a client accepts from its relay.
    package static var client: Self {
        Self(
            general: DERPSizes.clientFrameMax, clientInfo: DERPSizes.clientFrameMax,
            packet: DERPSizes.clientFrameMax)
    }
    /// Frames of unknown types are skipped without being stored; this bounds how much is skipped.
    static var unknown: Int { 1 << 20 }

    func maximum(of type: FrameType) -> Int {
        switch type {
        case .sendPacket, .receivePacket: packet
        case .forwardPacket: packet + DERPSizes.key
        case .clientInfo: clientInfo
        default: type.isKnown ? general : Self.unknown
        }
    }
}

/// Whether a packet is a disco message (its magic, a key, a nonce and a tag): those keep their own
/// queues, so that a path can still be found through a relay that is busy.
package func looksLikeDisco(_ packet: RawSpan) -> Bool {
    packet.byteCount >= 6 + 32 + 24 + 16
        && packet.bigEndian(at: 0, as: UInt32.self) == 0x5453_F09F
        && packet.bigEndian(at: 4, as: UInt16.self) == 0x92AC
}
