package import CryptoPrimitives
package import Logging
package import NIOCore
package import NetTypes

/// The node's connections to relays, one per region at most.
///
/// The home region stays connected; others are dialled when a packet wants to go there, and closed
/// after a minute without packets. Lost connections are dialled again, at once and then with
/// growing pauses. `send` may be called from any thread and never blocks.
package final class RelayPool: Sendable {
    package typealias PacketHandler = @Sendable (RelayPacketBatch) -> Void
    package typealias EventHandler = @Sendable (RelayEvent) -> Void

    /// Both handlers are called on an event loop and must return soon.
    package init(
        nodeKey: PrivateKey<NodeKind>, group: any EventLoopGroup, logger: Logger,
        configuration: Configuration = Configuration(),
        onPackets: @escaping PacketHandler, onEvent: @escaping EventHandler
    ) {
    }

    /// Limits and times; the defaults are those of the official client unless said.
    package struct Configuration: Sendable {
        package init() {}
    }

    /// Replaces the map. Connections to regions that are gone or changed are closed.
    package func update(map: RelayMap) {}

    /// Connects to the region for good and tells it and the former one.
    package func setHome(region: Int?) {}

    /// Queues a packet of at most 64 KiB for a peer's relay. The oldest packets are dropped, and
    /// counted, when the relay does not keep up.
    package func send(region: Int, to peer: NodeKey, packet: RawSpan) {}
    package func send(region: Int, to peer: NodeKey, packet: [UInt8]) {}

    /// After a change of links: whatever does not answer a ping within three seconds is dialled
    /// again.
    package func probe() {}

    /// Closes everything. The pool cannot be used again.
    package func shutDown() async {}
}
