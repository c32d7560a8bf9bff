import ControlMessages
package import NetTypes

/// What about a node changed, as far as others are told.
package struct NodeAspects: OptionSet, Hashable, Sendable {
    package var rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }

    package static var endpoints: Self { Self(rawValue: 1) }
    package static var homeDERP: Self { Self(rawValue: 2) }
    package static var online: Self { Self(rawValue: 4) }
    package static var discoKey: Self { Self(rawValue: 8) }
    package static var keyExpiry: Self { Self(rawValue: 16) }
    package static var capabilityVersion: Self { Self(rawValue: 32) }
    /// Anything that no patch can express; peers get the node anew.
    package static var whole: Self { Self(rawValue: 64) }
    /// Something that the node itself has to be told.
    package static var own: Self { Self(rawValue: 128) }
    /// The node takes part again, or at last: its key was expired, or it waited for approval. Until then
    /// it was told of no peer, so it needs the whole map.
    package static var revived: Self { Self(rawValue: 256) }

    /// The difference between two records. `lastSeen` counts with `online`, which is not part of
    /// a record.
    package init(from old: NodeRecord?, to new: NodeRecord, at now: Timestamp) {
        self = []
        guard let old else {
            self = [.whole, .own]
            return
        }
        if old.endpoints != new.endpoints {
            // A patch cannot take endpoints away altogether.
            insert(new.endpoints.isEmpty ? .whole : .endpoints)
        }
        if old.homeDERP != new.homeDERP { insert(new.homeDERP == 0 ? .whole : .homeDERP) }
        if old.discoKey != new.discoKey { insert(.discoKey) }
        if old.capabilityVersion != new.capabilityVersion { insert(.capabilityVersion) }
        if old.lastSeen != new.lastSeen { insert(.online) }
        if old.expiry != new.expiry {
            insert(.own)
            if old.isExpired(at: now), !new.isExpired(at: now) { insert(.revived) }
            insert(old.isExpired(at: now) || new.isExpired(at: now) ? .whole : .keyExpiry)
        }
        if old.nodeKey != new.nodeKey || old.name != new.name || old.user != new.user
            || old.tags != new.tags || old.ipv4 != new.ipv4 || old.ipv6 != new.ipv6
        {
            formUnion([.whole, .own])
        }
        if old.awaitsApproval != new.awaitsApproval { formUnion([.whole, .own, .revived]) }
        if old.hostinfo != new.hostinfo,
            old.hostinfo.forPeers != new.hostinfo.forPeers
        {
            insert(.whole)
        }
    }
}

extension Hostinfo {
    /// What peers are told: everything but what concerns the server alone. Without the network
    /// report, whose latencies change all the time.
    var forPeers: Hostinfo {
        var reduced = self
        reduced.members.members.removeAll { Self.membersForServer.contains($0.name) }
        return reduced
    }

    private static let membersForServer: Set<String> = [
        "NetInfo", "BackendLogID", "FrontendLogID", "PushDeviceToken", "RequestTags",
    ]
}
