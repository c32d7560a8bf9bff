public import NetTypes

/// Why a relay says that a peer cannot be reached through it.
public struct PeerGoneReason: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt8
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }
    /// It was connected and left.
    package static var disconnected: Self { Self(rawValue: 0) }
    /// It has no connection to this relay.
    package static var notHere: Self { Self(rawValue: 1) }
}

/// A peer that connected to a relay, as told to the other relays of its region.
public struct PeerPresent: Hashable, Sendable {
    package var peer: NodeKey
    /// Absent from old relays.
    package var endpoint: Endpoint?
    /// 1 regular, 2 relay of the mesh, 4 prober, 8 not its ideal relay.
    package var flags: UInt8

    package init(peer: NodeKey, endpoint: Endpoint?, flags: UInt8) {
        self.peer = peer
        self.endpoint = endpoint
        self.flags = flags
    }
}

/// What a relay sends after the login, packets excepted.
public enum ServerMessage: Hashable, Sendable {
    case keepAlive
    case peerGone(NodeKey, PeerGoneReason)
    case peerPresent(PeerPresent)
    case ping(UInt64)
    case pong(UInt64)
    /// A problem of this connection in words; empty when it is over.
    case health(String)
    /// The relay goes away: reconnect after the first time, try for the second.
    case restarting(reconnectIn: Nanoseconds, tryFor: Nanoseconds)
    /// Not one of the above: to be skipped.
    case other(FrameType)

    /// Trailing bytes of fixed-size payloads are tolerated: later versions may add fields.
    package init(_ type: FrameType, _ payload: RawSpan) throws(FrameError) {
        var reader = ByteReader(payload)
        do {
            switch type {
            case .keepAlive: self = .keepAlive
            case .peerGone:
                let peer: NodeKey = try reader.readKey()
                // Old relays send no reason; leaving was the only one then.
                let reason: UInt8 = reader.remaining > 0 ? try reader.readBigEndian() : 0
                self = .peerGone(peer, PeerGoneReason(rawValue: reason))
            case .peerPresent: self = .peerPresent(try Self.readPeerPresent(&reader))
            case .ping: self = .ping(try reader.readBigEndian())
            case .pong: self = .pong(try reader.readBigEndian())
            case .health:
                self = .health(
                    String(
                        decoding: try reader.readArray(count: min(reader.remaining, 1024)),
                        as: UTF8.self))
            case .restarting:
                let reconnect: UInt32 = try reader.readBigEndian()
                let tryFor: UInt32 = try reader.readBigEndian()
                self = .restarting(
                    reconnectIn: .milliseconds(Int64(reconnect)),
                    tryFor: .milliseconds(Int64(tryFor)))
            default: self = .other(type)
            }
        } catch {
            throw .malformed(type)
        }
    }

    private static func readPeerPresent(
        _ reader: inout ByteReader
    ) throws(TruncatedInput) -> PeerPresent {
        let peer: NodeKey = try reader.readKey()
        let endpoint = reader.remaining >= 18 ? try reader.readEndpoint() : nil
        let flags: UInt8 = reader.remaining > 0 ? try reader.readBigEndian() : 0
        return PeerPresent(peer: peer, endpoint: endpoint, flags: flags)
    }

    /// The frame on the wire; empty for `other`.
    package var frame: [UInt8] {
        var frame: [UInt8] = []
        switch self {
        case .keepAlive: frame.appendFrameHeader(.keepAlive, payloadByteCount: 0)
        case .peerGone(let peer, let reason):
            frame.appendFrameHeader(.peerGone, payloadByteCount: 33)
            frame.append(peer.bytes)
            frame.append(reason.rawValue)
        case .peerPresent(let presence):
            frame.appendFrameHeader(.peerPresent, payloadByteCount: 51)
            frame.append(presence.peer.bytes)
            frame.append(presence.endpoint ?? Endpoint(.v6(.any), port: 0))
            frame.append(presence.flags)
        case .ping(let data):
            frame.appendFrameHeader(.ping, payloadByteCount: 8)
            frame.appendBigEndian(data)
        case .pong(let data):
            frame.appendFrameHeader(.pong, payloadByteCount: 8)
            frame.appendBigEndian(data)
        case .health(let text): frame.appendFrame(.health, Array(text.utf8))
        case .restarting(let reconnectIn, let tryFor):
            frame.appendFrameHeader(.restarting, payloadByteCount: 8)
            frame.appendBigEndian(UInt32(clamping: reconnectIn.count / 1_000_000))
            frame.appendBigEndian(UInt32(clamping: tryFor.count / 1_000_000))
        case .other: break
        }
        return frame
    }
}

/// What a client sends after the login, packets excepted.
package enum ClientMessage: Hashable, Sendable {
    /// Whether this relay is the client's home.
    case notePreferred(Bool)
    case ping(UInt64)
    case pong(UInt64)
    /// A relay of the mesh wants to be told of every client that comes and goes.
    case watchConnections
    /// A relay of the mesh wants the connections of a client closed.
    case closePeer(NodeKey)
    /// Not one of the above: to be skipped.
    case other(FrameType)

    package init(_ type: FrameType, _ payload: RawSpan) throws(FrameError) {
        var reader = ByteReader(payload)
        do {
            switch type {
            case .watchConnections: self = .watchConnections
            case .closePeer: self = .closePeer(try reader.readKey())
            case .notePreferred:
                let flag: UInt8 = try reader.readBigEndian()
                self = .notePreferred(flag != 0)
            case .ping: self = .ping(try reader.readBigEndian())
            case .pong: self = .pong(try reader.readBigEndian())
            default: self = .other(type)
            }
        } catch {
            throw .malformed(type)
        }
    }

    /// The frame on the wire; empty for `other`.
    package var frame: [UInt8] {
        var frame: [UInt8] = []
        switch self {
        case .notePreferred(let flag): frame.appendFrame(.notePreferred, [flag ? 1 : 0])
        case .ping(let data):
            frame.appendFrameHeader(.ping, payloadByteCount: 8)
            frame.appendBigEndian(data)
        case .pong(let data):
            frame.appendFrameHeader(.pong, payloadByteCount: 8)
            frame.appendBigEndian(data)
        case .watchConnections: frame.appendFrameHeader(.watchConnections, payloadByteCount: 0)
        case .closePeer(let peer): frame.appendFrame(.closePeer, peer.bytes.array)
        case .other: break
        }
        return frame
    }
}
