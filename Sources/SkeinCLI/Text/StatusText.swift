import ControlMessages
import LocalAPI
import NetTypes

/// `skein status` for people: one line a machine, this one first, and what is wrong.
struct StatusText {
    var status: Status
    /// Leaves out machines that sent and received nothing.
    var onlyActive = false

    var lines: [String] {
        switch status.backendState {
        case .running, .starting: break
        case .needsLogin, .noState:
            var lines = ["Logged out."]
            if !status.authURL.isEmpty { lines.append("Log in at: \(status.authURL)") }
            return lines + healthLines
        case .needsMachineAuth:
            return ["This machine waits for an administrator's approval."] + healthLines
        case .stopped: return ["Skein is stopped: skein up"] + healthLines
        case .inUseOtherUser: return ["Skein is in use by another user."]
        }
        var rows = status.addresses.isEmpty ? [] : [row(of: status.own, isOwn: true)]
        for peer in sortedPeers where !onlyActive || peer.isActive {
            rows.append(row(of: peer, isOwn: false))
        }
        var lines = Table.lines(rows)
        if status.backendState == .starting { lines.insert("Connecting …", at: 0) }
        return lines + healthLines
    }

    /// By name, then by key, so that the order is always the same.
    private var sortedPeers: [PeerStatus] {
        status.peers.values.sorted {
            (name(of: $0), $0.publicKey) < (name(of: $1), $1.publicKey)
        }
    }

    private var healthLines: [String] {
        status.health.isEmpty
            ? [] : ["", "# Health check:"] + status.health.map { "#     - \($0)" }
    }

    private func row(of peer: PeerStatus, isOwn: Bool) -> [String] {
        [
            peer.addresses.first?.description ?? "-", name(of: peer), owner(of: peer),
            peer.os.isEmpty ? "-" : peer.os, isOwn ? "-" : connection(to: peer),
        ]
    }

    private func name(of peer: PeerStatus) -> String {
        let label = peer.dnsName.prefix { $0 != "." }
        if !label.isEmpty { return String(label) }
        return peer.hostName.isEmpty ? "(no name)" : peer.hostName
    }

    private func owner(of peer: PeerStatus) -> String {
        if !peer.tags.isEmpty { return "tagged-devices" }
        guard let user = status.users[peer.userID] else { return "-" }
        let name = user.loginName.isEmpty ? user.displayName : user.loginName
        guard let at = name.firstIndex(of: "@") else { return name.isEmpty ? "-" : name }
        return String(name[...at])
    }

    private func connection(to peer: PeerStatus) -> String {
        var parts: [String] = []
        if peer.isExitNode {
            parts.append("exit node")
        } else if peer.offersExitNode {
            parts.append("offers exit node")
        }
        if peer.isExpired { parts.append("key expired") }
        if !peer.isActive {
            parts.append(peer.isOnline ? (parts.isEmpty ? "-" : "idle") : "offline")
            if peer.receivedBytes == 0, peer.sentBytes == 0 { return parts.joined(separator: "; ") }
            if parts.last == "-" { parts = ["idle"] }
        } else {
            parts.append(peer.isOnline ? "active" : "active; offline")
            if let endpoint = peer.currentEndpoint {
                parts.append("direct \(endpoint)")
            } else if !peer.peerRelay.isEmpty {
                parts.append("peer-relay \(peer.peerRelay)")
            } else if !peer.relay.isEmpty {
                let why = peer.obstacle.isEmpty ? "" : " (\(peer.obstacle))"
                parts.append("relay \"\(peer.relay)\"" + why)
            }
        }
        return parts.joined(separator: "; ")
            + ", tx \(peer.sentBytes) rx \(peer.receivedBytes)"
    }
}
