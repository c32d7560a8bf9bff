package import CryptoPrimitives
package import NetTypes
internal import WireGuardMessages

// Configuration: keys and peers.
extension WireGuardDevice {
    /// Adds a peer or changes the one with this key; its sessions stay. Its number stays the same
    /// until it is removed.
    @discardableResult
    package mutating func upsertPeer(
        _ configuration: PeerConfiguration, at now: MonotonicInstant
    ) throws(PeerConfigurationError) -> PeerIndex {
        guard configuration.publicKey != publicKey else { throw .ownKey }
        let number: Int
        if let known = peerNumbers[configuration.publicKey] {
            number = known
        } else {
            guard peers.count < WireGuardConstants.maxPeers else {
                throw .tooManyPeers(limit: WireGuardConstants.maxPeers)
            }
            number = peers.insert(Peer(configuration.publicKey))
            peerNumbers[configuration.publicKey] = number
        }
        peers[number].presharedKey = configuration.presharedKey
        setAllowedIPs(configuration.allowedIPs, of: number)
        peers[number].timers.persistentKeepaliveChanged(
            to: configuration.persistentKeepalive, at: now)
        timersChanged(number)
        if let parked = handshakes.parked.take(configuration.publicKey, at: now) {
            _ = handshakes.received.append(parked, at: now)
        }
        return PeerIndex(number: number)
    }

    /// Removes a peer, its sessions and what waits for it. Does nothing when there is none.
    package mutating func removePeer(_ key: NodeKey) {
        guard let number = peerNumbers.removeValue(forKey: key) else { return }
        eraseKeys(of: number)
        for prefix in peers[number].allowedIPs { allowedIPs.remove(prefix) }
        deadlines.set(nil, for: number)
        peers.remove(number)
    }

    /// Changes our own key. All sessions end: they were agreed on under the old one.
    package mutating func setPrivateKey(_ key: PrivateKey<NodeKind>?) {
        guard key?.publicKey != publicKey else { return }
        identity = key.map { LocalIdentity($0) }
        handshakes.parked.removeAll()
        if let key { removePeer(key.publicKey) }
        for number in 0..<peers.endIndex where peers.contains(number) {
            eraseKeys(of: number)
            peers[number].remote.forgetStaticSecret()
            peers[number].timers.sessionsErased()
            peers[number].handshake.lastSentAt = nil
        }
    }

    package func peer(withKey key: NodeKey) -> PeerIndex? {
        peerNumbers[key].map { PeerIndex(number: $0) }
    }

    /// The peer a packet to `address` belongs to.
    package func peer(forDestination address: IPAddress) -> PeerIndex? {
        allowedIPs.peer(for: address).map { PeerIndex(number: $0) }
    }

    private mutating func setAllowedIPs(_ prefixes: [IPPrefix], of number: Int) {
        let wanted = Set(prefixes.map(\.masked)).sorted()
        guard wanted != peers[number].allowedIPs else { return }
        let kept = Set(wanted)
        for prefix in peers[number].allowedIPs where !kept.contains(prefix) {
            allowedIPs.remove(prefix)
        }
        for prefix in wanted {
            guard let previous = allowedIPs.insert(prefix, peer: number), previous != number else {
                continue
            }
            peers[previous].allowedIPs.removeAll { $0 == prefix }
        }
        peers[number].allowedIPs = wanted
    }

    /// Wipes the peer's sessions and its handshake under way.
    mutating func eraseKeys(of number: Int) {
        for session in peers[number].keypairs.removeAll() { releaseSession(session) }
        forgetInitiation(of: number)
    }

    mutating func releaseSession(_ session: Int?) {
        guard let session else { return }
        indices.remove(sessions[session].localIndex)
        sessions.remove(session)
    }

    mutating func forgetInitiation(of number: Int) {
        guard let outstanding = peers[number].handshake.outstanding else { return }
        indices.remove(outstanding.index)
        peers[number].handshake.outstanding = nil
    }
}
