internal import CryptoPrimitives
package import NetTypes
internal import WireGuardMessages

// Outgoing packets.
extension WireGuardDevice {
    /// Bytes `seal` needs in front of the packet.
    package static var headroom: Int { 16 }
    /// Bytes `seal` needs behind the packet.
    package static var tailroom: Int { 31 }

    /// Seals the packet that stands at `payload` in `slot`, where it stands. Needs `headroom` and
    /// `tailroom` around it.
    ///
    /// Without a session the packet is copied aside and a handshake begins. So it is while earlier
    /// packets still wait, so that the order stays.
    package mutating func seal(
        slot: inout MutableRawSpan, payload: Range<Int>, for peer: PeerIndex,
        at now: MonotonicInstant
    ) -> SealResult {
        precondition(
            payload.lowerBound >= Self.headroom
                && payload.upperBound + Self.tailroom <= slot.byteCount,
            "the slot lacks room around the packet")
        let number = peer.number
        guard peers.contains(number) else { return drop(.unknownPeer) }
        guard peers[number].staged.isEmpty, let session = sendingSession(of: number, at: now)
        else {
            stage(slot.bytes.extracting(payload).array, for: number, at: now)
            return .staged
        }
        let message = sealInPlace(&slot, payload: payload, session: session, peer: number)
        sent(message.count, isData: payload.count > 0, session: session, peer: number, at: now)
        return .sealed(message)
    }

    private mutating func drop(_ reason: DropReason) -> SealResult {
        count(reason)
        return .dropped(reason)
    }

    /// The session of the peer that may seal now.
    func sendingSession(of number: Int, at now: MonotonicInstant) -> Int? {
        guard let session = peers[number].keypairs.current, sessions[session].canSend(at: now)
        else { return nil }
        return session
    }

    /// Adds padding, header and tag. Returns where the message stands.
    mutating func sealInPlace(
        _ slot: inout MutableRawSpan, payload: Range<Int>, session: Int, peer: Int
    ) -> Range<Int> {
        let padding =
            payload.isEmpty
            ? 0 : TransportMessage.padding(count: payload.count, mtu: configuration.mtu)
        for offset in 0..<padding {
            slot.storeBytes(of: 0, toByteOffset: payload.upperBound + offset, as: UInt8.self)
        }
        let start = payload.lowerBound - TransportMessage.headerByteCount
        let end = payload.upperBound + padding + TransportMessage.tagByteCount
        let counter = sessions[session].nextCounter
        sessions[session].nextCounter = counter + 1
        TransportMessage.writeHeader(
            &slot, at: start, receiverIndex: sessions[session].remoteIndex, counter: counter)
        var text = slot._mutatingExtracting(payload.lowerBound..<end)
        sessions[session].sendingKey.seal(inPlace: &text, counter: counter)
        return start..<end
    }

    /// Reports a sealed message to timers, counters and the rekeying rule.
    mutating func sent(
        _ byteCount: Int, isData: Bool, session: Int, peer number: Int, at now: MonotonicInstant
    ) {
        peers[number].traffic.sentBytes += UInt64(byteCount)
        peers[number].timers.authenticatedPacketSent(at: now)
        if isData { peers[number].timers.dataSent(at: now, jitter: output.jitter.next()) }
        peers[number].owesKeepalive = false
        if sessions[session].needsRekeyAfterSending(at: now) {
            requestHandshake(with: number, isRetry: false, at: now)
        }
        timersChanged(number)
    }

    private mutating func stage(_ packet: [UInt8], for number: Int, at now: MonotonicInstant) {
        if peers[number].staged.appendDroppingOldest(packet) { count(.stagedOverflow) }
        flushOrHandshake(number, at: now)
    }

    /// Sees to it that what the peer has waiting goes out.
    mutating func flushOrHandshake(_ number: Int, at now: MonotonicInstant) {
        if sendingSession(of: number, at: now) != nil {
            requestFlush(of: number)
        } else {
            requestHandshake(with: number, isRetry: false, at: now)
        }
    }

    mutating func requestFlush(of number: Int) {
        guard !peers[number].isFlushQueued else { return }
        peers[number].isFlushQueued = output.flushes.append(number)
    }

    /// An empty packet, or instead of it whatever waits.
    mutating func sendKeepalive(to number: Int, at now: MonotonicInstant) {
        peers[number].owesKeepalive = true
        flushOrHandshake(number, at: now)
    }
}
