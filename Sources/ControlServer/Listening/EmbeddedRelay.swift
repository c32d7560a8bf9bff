import CryptoPrimitives
import DERP
import Logging
import NIOCore
import NetTypes
import RelayServer
import Synchronization

/// The relay that serves on the same port.
final class EmbeddedRelay: Sendable {
    private let server: RelayServer

    init(
        _ key: PrivateKey<RelayKind>, group: any EventLoopGroup, logger: Logger,
        admit: @escaping RelayServer.Admission
    ) {
        server = RelayServer(privateKey: key, group: group, logger: logger, admit: admit)
    }

    var upgrade: RelayUpgrade {
        let server = server
        return RelayUpgrade(
            upgradeHeaders: server.upgradeHeaders.map { ($0.name, $0.value) },
            adopt: { channel, address in
                try server.adopt(channel: channel, remoteAddress: address)
            })
    }

    func disconnect(_ node: NodeKey) { server.disconnect(node) }
    func shutDown() { server.shutDown() }
}

/// Lets the owner of the network, which the relay asks, reach the relay.
final class RelayLink: Sendable {
    private let relay = Mutex<EmbeddedRelay?>(nil)

    func connect(_ relay: EmbeddedRelay?) { self.relay.withLock { $0 = relay } }
    func disconnect(_ node: NodeKey) { relay.withLock { $0 }?.disconnect(node) }
}
