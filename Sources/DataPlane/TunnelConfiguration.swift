package import CryptoPrimitives
package import NetReport
package import NetTypes
package import NodeCore
package import PacketFilter

/// What the packet thread is to do, as one value that replaces the one before.
package struct TunnelConfiguration: Sendable {
    /// The node key. Nil: no peer can be spoken to.
    package var privateKey: PrivateKey<NodeKind>?
    package var peers: [DesiredPeer]
    /// Compiled by the caller: that takes too long for the packet thread.
    package var filter: FilterTable
    /// This node's addresses in the tunnel.
    package var addresses: [IPPrefix]
    /// Relay regions with the STUN servers in them, their names resolved.
    package var relayRegions: [RelayRegion]

    package init(
        privateKey: PrivateKey<NodeKind>?, peers: [DesiredPeer], filter: FilterTable,
        addresses: [IPPrefix], relayRegions: [RelayRegion]
    ) {
        self.privateKey = privateKey
        self.peers = peers
        self.filter = filter
        self.addresses = addresses
        self.relayRegions = relayRegions
    }
}

/// Packets that arrived by relay; `bytes` belongs to this batch alone, so they are opened in place.
package struct RelayBatch: Sendable {
    package struct Packet: Sendable {
        package var source: NodeKey
        package var range: Range<Int>

        package init(source: NodeKey, range: Range<Int>) {
            self.source = source
            self.range = range
        }
    }
    package var region: Int
    package var bytes: [UInt8]
    package var packets: [Packet]

    package init(region: Int, bytes: [UInt8], packets: [Packet]) {
        self.region = region
        self.bytes = bytes
        self.packets = packets
    }
}
