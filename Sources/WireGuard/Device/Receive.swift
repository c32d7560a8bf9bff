internal import CryptoPrimitives
package import NetTypes
internal import WireGuardMessages

// Incoming datagrams.
extension WireGuardDevice {
    /// Takes in one datagram that is not STUN and not disco.
    ///
    /// Packets of a session are opened where they stand. Handshake messages are only checked for
    /// being meant for us; the expensive part happens in `handleTimeout`.
    package mutating func receive(
        datagram: inout MutableRawSpan, from source: PacketSource, at now: MonotonicInstant
    ) -> ReceiveResult {
        switch MessageKind(of: datagram.bytes) {
        case .transport: return receiveTransport(&datagram, at: now)
        case .initiation, .response:
            return receiveHandshake(datagram.bytes, from: source, at: now)
        case .cookieReply: return receiveCookie(CookieReplyMessage(datagram.bytes), at: now)
        case nil: return drop(.malformed)
        }
    }

    private mutating func drop(_ reason: DropReason) -> ReceiveResult {
        count(reason)
        return .dropped(reason)
    }

    // MARK: Sessions

    private mutating func receiveTransport(
        _ datagram: inout MutableRawSpan, at now: MonotonicInstant
    ) -> ReceiveResult {
        guard
            case .session(let session) = indices[TransportMessage.receiverIndex(of: datagram.bytes)]
        else { return drop(.unknownIndex) }
        guard !sessions[session].isExpired(at: now) else { return drop(.expiredSession) }
        let counter = TransportMessage.counter(of: datagram.bytes)
        guard sessions[session].replayWindow.isFresh(counter) else {
            return drop(.replayedCounter)
        }
        let start = TransportMessage.headerByteCount
        var text = datagram._mutatingExtracting(start..<datagram.byteCount)
        guard sessions[session].receivingKey.open(inPlace: &text, counter: counter) else {
            return drop(.notAuthentic)
        }
        let isNew = sessions[session].replayWindow.accept(counter)
        precondition(isNew, "the counter was fresh a moment ago")

        let end = datagram.byteCount - TransportMessage.tagByteCount
        received(datagram.byteCount, session: session, hasData: end > start, at: now)
        let peer = sessions[session].peer
        guard end > start else { return .keepalive(PeerIndex(number: peer)) }
        guard let inner = InnerPacket(datagram.bytes.extracting(start..<end)) else {
            return drop(.malformedInner)
        }
        guard isSource(inner.source, of: peer) else { return drop(.sourceNotAllowed) }
        return .packet(PeerIndex(number: peer), start..<start + inner.totalLength)
    }

    @inline(__always)
    private mutating func isSource(_ address: IPAddress, of peer: Int) -> Bool {
        if let lastSource, lastSource.peer == peer, lastSource.address == address { return true }
        guard allowedIPs.peer(for: address) == peer else { return false }
        lastSource = (address, peer)
        return true
    }

    /// Reports an opened message to keypairs, timers, counters and the rekeying rule.
    private mutating func received(
        _ byteCount: Int, session: Int, hasData: Bool, at now: MonotonicInstant
    ) {
        let number = sessions[session].peer
        if peers[number].keypairs.next == session {
            releaseSession(peers[number].keypairs.confirmNext())
            completeHandshake(of: number, at: now)
            if !peers[number].staged.isEmpty { requestFlush(of: number) }
        }
        peers[number].traffic.receivedBytes += UInt64(byteCount)
        peers[number].timers.authenticatedPacketReceived(at: now)
        if hasData { peers[number].timers.dataReceived(at: now) }
        if !peers[number].timers.hasRekeyedOnReceive, peers[number].keypairs.current == session,
            sessions[session].needsRekeyAfterReceiving(at: now)
        {
            peers[number].timers.rekeyedOnReceive()
            requestHandshake(with: number, isRetry: false, at: now)
        }
        timersChanged(number)
    }

    // MARK: Handshakes

    private mutating func receiveHandshake(
        _ message: RawSpan, from source: PacketSource, at now: MonotonicInstant
    ) -> ReceiveResult {
        guard identity != nil else { return drop(.noIdentity) }
        guard identity!.cookieChecker.isMAC1Valid(message) else { return drop(.wrongMAC1) }
        if MessageKind(of: message) == .response,
            outstandingPeer(index: ResponseMessage(message).receiverIndex) == nil
        {
            return drop(.unknownIndex)
        }
        if handshakes.received.isUnderLoad(at: now) {
            guard
                identity!.cookieChecker.isMAC2Valid(
                    message, from: source, at: now, random: &random)
            else {
                let reply = identity!.cookieChecker.makeReply(
                    to: message, from: source, at: now, random: &random)
                _ = output.messages.append(
                    OutgoingMessage(bytes: reply, destination: .source(source)))
                return drop(.cookieRequired)
            }
            guard handshakes.rateLimiter.allows(source, at: now) else {
                return drop(.rateLimited)
            }
        }
        let pending = PendingHandshake(message: message.array, source: source)
        guard handshakes.received.append(pending, at: now) else { return drop(.handshakeQueueFull) }
        return .handled
    }

    private mutating func receiveCookie(
        _ reply: borrowing CookieReplyMessage, at now: MonotonicInstant
    ) -> ReceiveResult {
        let number: Int
        switch indices[reply.receiverIndex] {
        case .initiation(let peer): number = peer
        case .session(let session): number = sessions[session].peer
        case nil: return drop(.unknownIndex)
        }
        let isValid = peers[number].cookies.consume(
            nonce: reply.nonce, sealedCookie: reply.sealedCookie,
            keys: peers[number].remote.authenticationKeys, at: now)
        return isValid ? .handled : drop(.invalidCookieReply)
    }

    func outstandingPeer(index: UInt32) -> Int? {
        guard case .initiation(let peer) = indices[index] else { return nil }
        return peer
    }
}
