public import DERP
public import NetTypes

/// What a relay has to write to one connection next.
public enum RelayTransmit<Payload> {
    case message(ServerMessage)
    case packet(source: NodeKey, Payload)
    /// For another relay of the region.
    case forward(source: NodeKey, destination: NodeKey, Payload)
}

extension RelayTransmit: Sendable where Payload: Sendable {}

/// Everything that waits for one connection: the relay's own messages first, then disco, then data.
@usableFromInline
struct Egress<Payload> {
    @usableFromInline var messages = Ring<ServerMessage>()
    @usableFromInline var disco = FairQueue<Payload>()
    @usableFromInline var data = FairQueue<Payload>()
    /// Bytes of disco sent since data had a turn.
    @usableFromInline var discoRun = 0

    @inlinable init() {}

    /// Disco goes first, but anyone can make packets look like disco: after so many bytes of it
    /// data gets a turn.
    @inlinable static var discoRunMax: Int { 16 << 10 }

    @inlinable var isEmpty: Bool { messages.isEmpty && disco.isEmpty && data.isEmpty }
    @inlinable var cost: Int { disco.cost + data.cost }

    @inlinable mutating func popNextPacket() -> QueuedPacket<Payload>? {
        if !disco.isEmpty, data.isEmpty || discoRun < Self.discoRunMax {
            guard let packet = disco.popNext() else { return nil }
            discoRun += packet.cost
            return packet
        }
        discoRun = 0
        return data.popNext()
    }

    /// Ends with all packets gone; returns how many there were.
    @usableFromInline mutating func removeAll() -> Int {
        var count = 0
        while let packet = popNextPacket() { count += packet.packetCount }
        messages = Ring()
        return count
    }
}
