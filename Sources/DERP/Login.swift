package import CryptoPrimitives
package import NetTypes

/// The key of a relay. On the wire and in HTTP headers it has the form of a node key.
package enum RelayKind: KeyKind { package static var textPrefix: String { "nodekey:" } }
package typealias RelayKey = PublicKey<RelayKind>

/// The version this code speaks: packets carry their source.
package var derpProtocolVersion: Int { 2 }

/// The first frame of a relay: "DERP🔑", its key, and bytes of later versions.
package enum ServerKeyFrame {
    private static var magic: [UInt8] { [0x44, 0x45, 0x52, 0x50, 0xF0, 0x9F, 0x94, 0x91] }

    package static func frame(_ key: RelayKey) -> [UInt8] {
        var payload = magic
        payload.append(key.bytes)
        var frame: [UInt8] = []
        frame.appendFrame(.serverKey, payload)
        return frame
    }

    package static func parse(_ payload: RawSpan) throws(FrameError) -> RelayKey {
        var reader = ByteReader(payload)
        do {
            guard try reader.readArray(count: 8) == magic else { throw FrameError.wrongMagic }
            return try reader.readKey()
        } catch let error as FrameError {
            throw error
        } catch {
            throw .malformed(.serverKey)
        }
    }
}

/// What a client says about itself, sealed between its node key and the key of the relay.
package struct ClientInfo: Hashable, Sendable {
    package var version: Int
    /// Answers pings of the relay.
    package var canAckPings: Bool
    /// Measures relays; is not a node.
    package var isProber: Bool
    /// 64 hexadecimal digits that relays of one region share; empty for ordinary clients.
    package var meshKey: String

    package init(
        version: Int = derpProtocolVersion, canAckPings: Bool = true, isProber: Bool = false,
        meshKey: String = ""
    ) {
        self.version = version
        self.canAckPings = canAckPings
        self.isProber = isProber
        self.meshKey = meshKey
    }

    package func frame(
        from node: PrivateKey<NodeKind>, to relay: RelayKey,
        random: inout some RandomNumberGenerator
    ) throws(FrameError) -> [UInt8] {
        guard let box = BoxKey(node, relay) else { throw .notAuthentic(.serverKey) }
        var text = "{"
        if !meshKey.isEmpty { text += "\"meshKey\":\"\(meshKey)\"," }
        text += "\"version\":\(version),\"CanAckPings\":\(canAckPings),\"IsProber\":\(isProber)}"
        let sealed = unsafe box.seal(Array(text.utf8).span.bytes, random: &random)
        var frame: [UInt8] = []
        frame.appendPacketFrame(.clientInfo, node.publicKey, sealed)
        return frame
    }

    /// Opens the payload of a `ClientInfo` frame: who it is, proven by the box, and what it says.
    package static func open(
        _ payload: RawSpan, with relay: PrivateKey<RelayKind>
    ) throws(FrameError) -> (NodeKey, ClientInfo) {
        guard payload.byteCount >= DERPSizes.key + BoxKey.nonceByteCount + BoxKey.tagByteCount
        else { throw .malformed(.clientInfo) }
        let node = NodeKey(Bytes32(payload.extracting(0..<32)))
        guard let box = BoxKey(relay, node),
            let text = box.open(payload.extracting(32..<payload.byteCount))
        else { throw .notAuthentic(.clientInfo) }
        guard let fields = FlatJSON.parse(text) else { throw .malformed(.clientInfo) }
        return (
            node,
            ClientInfo(
                version: fields["version"]?.integer ?? 0,
                canAckPings: fields["CanAckPings"]?.boolean ?? false,
                isProber: fields["IsProber"]?.boolean ?? false,
                meshKey: fields["meshKey"]?.string ?? "")
        )
    }
}

/// What a relay says about itself, sealed.
package struct ServerInfo: Hashable, Sendable {
    package var version: Int
    /// How fast the client may send, when the relay limits it.
    package var bytesPerSecond: Int?
    package var burstByteCount: Int?

    package init(
        version: Int = derpProtocolVersion, bytesPerSecond: Int? = nil, burstByteCount: Int? = nil
    ) {
        self.version = version
        self.bytesPerSecond = bytesPerSecond
        self.burstByteCount = burstByteCount
    }

    package func frame(
        from relay: PrivateKey<RelayKind>, to node: NodeKey,
        random: inout some RandomNumberGenerator
    ) throws(FrameError) -> [UInt8] {
        guard let box = BoxKey(relay, node) else { throw .notAuthentic(.clientInfo) }
        var text = "{\"version\":\(version)"
        if let bytesPerSecond { text += ",\"TokenBucketBytesPerSecond\":\(bytesPerSecond)" }
        if let burstByteCount { text += ",\"TokenBucketBytesBurst\":\(burstByteCount)" }
        text += "}"
        let sealed = unsafe box.seal(Array(text.utf8).span.bytes, random: &random)
        var frame: [UInt8] = []
        frame.appendFrame(.serverInfo, sealed)
        return frame
    }

    package static func open(
        _ payload: RawSpan, from relay: RelayKey, with node: PrivateKey<NodeKind>
    ) throws(FrameError) -> ServerInfo {
        guard let box = BoxKey(node, relay), let text = box.open(payload) else {
            throw .notAuthentic(.serverInfo)
        }
        guard let fields = FlatJSON.parse(text) else { throw .malformed(.serverInfo) }
        return ServerInfo(
            version: fields["version"]?.integer ?? 0,
            bytesPerSecond: fields["TokenBucketBytesPerSecond"]?.integer,
            burstByteCount: fields["TokenBucketBytesBurst"]?.integer)
    }
}
