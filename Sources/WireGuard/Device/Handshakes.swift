package import NetTypes
internal import Noise
internal import WireGuardMessages

// Making and consuming handshake messages.
extension WireGuardDevice {
    /// Asks for a handshake now rather than with the next packet, for instance because a path to
    /// the peer has just appeared. Initiations still keep five seconds distance.
    package mutating func initiateHandshake(with peer: PeerIndex, at now: MonotonicInstant) {
        guard peers.contains(peer.number) else { return }
        requestHandshake(with: peer.number, isRetry: false, at: now)
    }

    /// The same, if packets wait for a session with the peer.
    package mutating func initiateHandshake(ifWaitingFor peer: PeerIndex, at now: MonotonicInstant)
    {
        guard peers.contains(peer.number), !peers[peer.number].staged.isEmpty else { return }
        requestHandshake(with: peer.number, isRetry: false, at: now)
    }

    /// A message that `pollTransmit` gave out could not be sent, for want of a path. The next
    /// initiation need not wait for that one to time out, only long enough that packets for an
    /// unreachable peer do not each cost the making of one.
    package mutating func noteNotSent(to peer: PeerIndex) {
        guard peers.contains(peer.number), let last = peers[peer.number].handshake.lastSentAt else {
            return
        }
        peers[peer.number].handshake.lastSentAt =
            last - WireGuardConstants.rekeyTimeout + .milliseconds(250)
    }

    /// Queues an initiation unless one went out in the last five seconds.
    mutating func requestHandshake(with number: Int, isRetry: Bool, at now: MonotonicInstant) {
        if !isRetry { peers[number].timers.handshakeRequested() }
        guard !peers[number].isInitiationQueued, mayInitiate(number, at: now) else { return }
        peers[number].isInitiationQueued = handshakes.initiations.append(number)
    }

    private func mayInitiate(_ number: Int, at now: MonotonicInstant) -> Bool {
        guard let last = peers[number].handshake.lastSentAt else { return true }
        return now - last >= WireGuardConstants.rekeyTimeout
    }

    /// Sends an initiation. False when there is no reason or way to.
    mutating func initiateHandshake(with number: Int, at now: MonotonicInstant) -> Bool {
        guard peers.contains(number), peers[number].isInitiationQueued else { return false }
        peers[number].isInitiationQueued = false
        guard let identity, mayInitiate(number, at: now),
            let staticSecret = peers[number].remote.staticSecret(with: identity.privateKey)
        else { return false }

        forgetInitiation(of: number)
        let index = indices.insert(.initiation(peer: number), random: &random)
        let stamp = clock.stamp(at: now, after: peers[number].handshake.lastSentStamp)
        let made = OutstandingInitiation.make(
            from: identity.privateKey, to: peers[number].remote.publicKey,
            staticSecret: staticSecret, index: index, timestamp: stamp,
            ephemeral: EphemeralKey(random: &random))
        guard let made else {
            indices.remove(index)
            return true
        }
        peers[number].handshake.outstanding = made.outstanding
        peers[number].handshake.lastSentStamp = stamp
        send(made.message, to: number, as: .peer(PeerIndex(number: number)), at: now)
        peers[number].timers.handshakeInitiated(at: now, jitter: output.jitter.next())
        timersChanged(number)
        return true
    }

    /// Adds the MACs and queues a handshake message.
    private mutating func send(
        _ message: [UInt8], to number: Int, as destination: Transmit.Destination,
        at now: MonotonicInstant
    ) {
        var message = message
        peers[number].cookies.authenticate(
            &message, keys: peers[number].remote.authenticationKeys, at: now)
        peers[number].handshake.lastSentAt = now
        peers[number].traffic.sentBytes += UInt64(message.count)
        peers[number].timers.authenticatedPacketSent(at: now)
        _ = output.messages.append(OutgoingMessage(bytes: message, destination: destination))
    }

    /// Does the work of a handshake message received earlier.
    mutating func consume(_ pending: PendingHandshake, at now: MonotonicInstant) {
        let bytes = unsafe pending.message.span.bytes
        let reason: DropReason?
        switch MessageKind(of: bytes) {
        case .initiation:
            reason = consume(InitiationMessage(bytes), pending, at: now)
        case .response:
            reason = consume(ResponseMessage(bytes), pending, at: now)
        case .cookieReply, .transport, nil:
            preconditionFailure("only handshake messages are put aside")
        }
        if let reason { count(reason) }
    }

    // MARK: Responder

    private mutating func consume(
        _ message: borrowing InitiationMessage, _ pending: PendingHandshake,
        at now: MonotonicInstant
    ) -> DropReason? {
        guard let identity else { return .noIdentity }
        guard var received = ReceivedInitiation(message, local: identity.privateKey) else {
            return .invalidHandshake
        }
        let key = received.remoteKey
        guard let number = peerNumbers[key] else {
            handshakes.parked.park(pending, from: key, at: now)
            emit(.unknownInitiator(key, from: pending.source))
            return .unknownPeer
        }
        guard let staticSecret = peers[number].remote.staticSecret(with: identity.privateKey),
            let stamp = received.openTimestamp(message, staticSecret: staticSecret)
        else { return .invalidHandshake }
        if let greatest = peers[number].handshake.greatestStamp, stamp <= greatest {
            return .replayedInitiation
        }
        if let last = peers[number].handshake.lastAcceptedAt,
            now - last < WireGuardConstants.initiationFloodInterval
        {
            return .floodedInitiation
        }
        peers[number].handshake.greatestStamp = stamp
        peers[number].handshake.lastAcceptedAt = now
        authenticated(number, pending, at: now)
        return respond(received, to: number, pending, at: now)
    }

    private mutating func respond(
        _ received: consuming ReceivedInitiation, to number: Int, _ pending: PendingHandshake,
        at now: MonotonicInstant
    ) -> DropReason? {
        let remoteIndex = received.senderIndex
        let session = sessions.reserveIndex()
        let index = indices.insert(.session(session), random: &random)
        let response = received.respond(
            index: index, presharedKey: peers[number].effectivePresharedKey,
            ephemeral: EphemeralKey(random: &random))
        guard let response else {
            indices.remove(index)
            return .invalidHandshake
        }
        sessions.insert(
            Session(
                peer: number, localIndex: index, remoteIndex: remoteIndex, isInitiator: false,
                keys: response.keys, cipher: configuration.cipher, at: now))
        let retired = peers[number].keypairs.installResponded(session)
        releaseSession(retired.0)
        releaseSession(retired.1)
        peers[number].timers.sessionDerived(at: now)
        send(
            response.message, to: number,
            as: .reply(PeerIndex(number: number), to: pending.source), at: now)
        timersChanged(number)
        return nil
    }

    // MARK: Initiator

    private mutating func consume(
        _ message: borrowing ResponseMessage, _ pending: PendingHandshake,
        at now: MonotonicInstant
    ) -> DropReason? {
        guard let identity else { return .noIdentity }
        // Not any more what it was when the message came in, if two responses came together.
        guard let number = outstandingPeer(index: message.receiverIndex),
            let outstanding = peers[number].handshake.outstanding
        else { return .unknownIndex }
        let keys = outstanding.finish(
            message, local: identity.privateKey, presharedKey: peers[number].effectivePresharedKey)
        guard let keys else { return .invalidHandshake }
        let session = sessions.insert(
            Session(
                peer: number, localIndex: outstanding.index, remoteIndex: message.senderIndex,
                isInitiator: true, keys: keys, cipher: configuration.cipher, at: now))
        indices.replace(outstanding.index, with: .session(session))
        peers[number].handshake.outstanding = nil
        let retired = peers[number].keypairs.installInitiated(session)
        releaseSession(retired.0)
        releaseSession(retired.1)
        authenticated(number, pending, at: now)
        peers[number].timers.sessionDerived(at: now)
        completeHandshake(of: number, at: now)
        // The responder may not send before it has heard from the new session.
        sendKeepalive(to: number, at: now)
        timersChanged(number)
        return nil
    }

    /// A handshake message proved to be from the peer.
    private mutating func authenticated(
        _ number: Int, _ pending: PendingHandshake, at now: MonotonicInstant
    ) {
        peers[number].traffic.receivedBytes += UInt64(pending.message.count)
        peers[number].timers.authenticatedPacketReceived(at: now)
        emit(.authenticated(PeerIndex(number: number), from: pending.source))
    }

    /// A new session can be used.
    mutating func completeHandshake(of number: Int, at now: MonotonicInstant) {
        peers[number].timers.handshakeCompleted()
        peers[number].traffic.lastHandshake = clock.timestamp(at: now)
        emit(.sessionEstablished(PeerIndex(number: number)))
    }
}
