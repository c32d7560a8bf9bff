package import NetTypes
internal import WireGuardMessages

// Messages the engine sends of itself, and packets that waited for a session.
extension WireGuardDevice {
    /// Writes the next message to send into `slot` at `offset`; nil when there is none. Call until
    /// nil after everything else of a wake-up.
    ///
    /// The slot must be at least as long as any slot `seal` was called with.
    package mutating func pollTransmit(
        into slot: inout MutableRawSpan, at offset: Int, now: MonotonicInstant
    ) -> Transmit? {
        while let message = output.messages.popFirst() {
            guard offset + message.bytes.count <= slot.byteCount else {
                count(.oversized)
                continue
            }
            unsafe slot.copy(message.bytes.span.bytes, at: offset)
            return Transmit(
                destination: message.destination, range: offset..<offset + message.bytes.count,
                isData: false)
        }
        while let number = output.flushes.first {
            if let transmit = nextPacket(of: number, into: &slot, at: offset, now: now) {
                return transmit
            }
            _ = output.flushes.popFirst()
            if peers.contains(number) { peers[number].isFlushQueued = false }
        }
        return nil
    }

    /// The oldest waiting packet of the peer, or the keepalive it owes.
    private mutating func nextPacket(
        of number: Int, into slot: inout MutableRawSpan, at offset: Int, now: MonotonicInstant
    ) -> Transmit? {
        guard peers.contains(number), peers[number].isFlushQueued else { return nil }
        while !peers[number].staged.isEmpty || peers[number].owesKeepalive {
            guard let session = sendingSession(of: number, at: now) else {
                requestHandshake(with: number, isRetry: false, at: now)
                return nil
            }
            let packet = peers[number].staged.popFirst() ?? []
            let start = offset + Self.headroom
            guard start + packet.count + Self.tailroom <= slot.byteCount else {
                count(.oversized)
                continue
            }
            unsafe slot.copy(packet.span.bytes, at: start)
            let message = sealInPlace(
                &slot, payload: start..<start + packet.count, session: session, peer: number)
            sent(
                message.count, isData: !packet.isEmpty, session: session, peer: number, at: now)
            return Transmit(
                destination: .peer(PeerIndex(number: number)), range: message,
                isData: !packet.isEmpty)
        }
        return nil
    }
}

/// Spreads timers that would otherwise fire together. Not secret, and drawn for many packets, so it
/// does not come from the device's random numbers.
struct Jitter {
    private var state: UInt64

    init(seed: UInt64) { state = seed | 1 }

    /// 0 up to 333 ms.
    mutating func next() -> Nanoseconds {
        // Xorshift.
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        let range = UInt64(WireGuardConstants.rekeyTimeoutJitterMax.count + 1)
        return Nanoseconds(count: Int64((state >> 16) % range))
    }
}
