package import NetTypes

/// Why a packet went no further. Each is counted.
package enum DropReason: Int, CaseIterable, Sendable {
    /// No WireGuard message, or one of a wrong length.
    case malformed
    /// No private key is set.
    case noIdentity
    /// The receiver index is none of ours.
    case unknownIndex
    /// The session is older than 180 seconds.
    case expiredSession
    /// Received before, or too long ago to tell.
    case replayedCounter
    /// The tag is wrong.
    case notAuthentic
    /// The decrypted text is no IP packet.
    case malformedInner
    /// The inner source address is not one of the peer's allowed IPs.
    case sourceNotAllowed
    case wrongMAC1
    /// Under load: a cookie reply was sent instead of doing the work.
    case cookieRequired
    /// Under load: too many handshakes from one source.
    case rateLimited
    case handshakeQueueFull
    /// A handshake message that does not check out.
    case invalidHandshake
    /// An initiation from a key that is no peer's, or a packet for a peer that is none.
    case unknownPeer
    /// An initiation whose timestamp is not above the greatest seen.
    case replayedInitiation
    /// An initiation less than 20 ms after another.
    case floodedInitiation
    case invalidCookieReply
    /// The oldest packet waiting for a session, dropped for a newer one.
    case stagedOverflow
    /// Packets waiting for a session that could not be agreed on.
    case handshakeAbandoned
    /// A packet too long for a message or for the caller's buffer.
    case oversized
}

/// What became of an outgoing packet.
package enum SealResult: Equatable, Sendable {
    /// The message to send, in the slot.
    case sealed(Range<Int>)
    /// Copied aside until there is a session. It will come out of `pollTransmit`.
    case staged
    case dropped(DropReason)
}

/// What became of a datagram.
package enum ReceiveResult: Equatable, Sendable {
    /// An inner packet from the peer, decrypted in place and without padding.
    case packet(PeerIndex, Range<Int>)
    /// An authentic message of the peer without data.
    case keepalive(PeerIndex)
    /// A handshake message, kept for `handleTimeout`, or a cookie.
    case handled
    case dropped(DropReason)
}

/// A message to send, as `pollTransmit` wrote it.
package struct Transmit: Equatable, Sendable {
    package enum Destination: Equatable, Sendable {
        /// By whatever path leads to the peer.
        case peer(PeerIndex)
        /// The answer to an authentic initiation: by the peer's path or back where it came from.
        case reply(PeerIndex, to: PacketSource)
        /// A cookie reply, to someone whose key is not known yet.
        case source(PacketSource)
    }

    package var destination: Destination
    /// Where the message stands in the slot.
    package var range: Range<Int>
    /// Whether it carries inner data, as opposed to a handshake message or keepalive.
    package var isData: Bool
}

package enum WireGuardEvent: Equatable, Sendable {
    /// A handshake message proved to be from the peer; here is where it came from.
    case authenticated(PeerIndex, from: PacketSource)
    /// A new session can be used.
    case sessionEstablished(PeerIndex)
    /// 90 seconds of initiations went unanswered. What waited was dropped.
    case handshakeAbandoned(PeerIndex)
    /// All keys of the peer were wiped, 540 seconds after the last session began.
    case keysErased(PeerIndex)
    /// An initiation from a key that is no peer's. It is kept for a few seconds: adding the peer
    /// within that time answers it.
    case unknownInitiator(NodeKey, from: PacketSource)
}
