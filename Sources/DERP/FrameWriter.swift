package import NetTypes

extension [UInt8] {
    /// Appends type and length of a frame.
    package mutating func appendFrameHeader(_ type: FrameType, payloadByteCount: Int) {
        append(type.rawValue)
        appendBigEndian(UInt32(payloadByteCount))
    }
    /// Appends a frame whose payload is at hand.
    package mutating func appendFrame(_ type: FrameType, _ payload: [UInt8]) {
        appendFrameHeader(type, payloadByteCount: payload.count)
        append(contentsOf: payload)
    }
    /// Appends a `SendPacket` (key: destination) or `ReceivePacket` (key: source) frame.
    package mutating func appendPacketFrame(_ type: FrameType, _ key: NodeKey, _ packet: [UInt8]) {
        appendFrameHeader(type, payloadByteCount: DERPSizes.key + packet.count)
        append(key.bytes)
        append(contentsOf: packet)
    }
}
