package import CryptoPrimitives
package import DERP
import DERPClient
import LinuxIO
import Logging
import NIOCore
import NetTypes
import RelayServer
import Synchronization

/// What a relay is made of, read from files where it has to be.
package struct RelaySettings: Sendable {
    package var key: PrivateKey<RelayKind>
    /// Nil: no other relay serves the region.
    var mesh: Mesh?

    /// The other relays of the region.
    struct Mesh: Sendable {
        var key: MeshKey
        var relays: [RelayMap.Node]
        /// A PEM file with authorities to trust besides the system's.
        var trustFile: String?
    }

    package init(key: PrivateKey<RelayKind>) { self.key = key }

    init(
        key: PrivateKey<RelayKind>, _ configuration: ServerConfiguration.Relay
    ) throws(ControlServerError) {
        self.key = key
        mesh = try configuration.meshKeyFile.map { path throws(ControlServerError) in
            Mesh(
                key: try Self.meshKey(path), relays: configuration.meshWith.map(RelayMap.Node.init),
                trustFile: configuration.trustFile)
        }
    }

    private static func meshKey(_ path: String) throws(ControlServerError) -> MeshKey {
        let isPrivate: Bool
        var bytes: [UInt8]
        do throws(SystemError) {
            isPrivate = try AtomicFile.isPrivate(path)
            bytes = try AtomicFile.read(path, limit: 256) ?? []
        } catch {
            throw .meshKey(path: path, reason: "\(error)")
        }
        defer { wipe(&bytes) }
        guard isPrivate else {
            throw .meshKey(
                path: path, reason: "other users may read it; run: chmod 600 \(path)")
        }
        let digits = bytes.filter { $0 > 0x20 }
        guard let key = MeshKey(text: String(decoding: digits, as: UTF8.self)) else {
            throw .meshKey(
                path: path,
                reason: "it does not hold 64 hexadecimal digits; make it once with: "
                    + "(umask 077; openssl rand -hex 32 > \(path)), and copy it to the region's relays"
            )
        }
        return key
    }
}

extension RelayMap.Node {
    init(_ address: ServerConfiguration.RelayAddress) {
        self.init(
            name: address.host, hostName: address.host, port: address.port,
            isPlainHTTP: !address.isSecure)
    }
}

/// The relay that serves on the same port.
final class EmbeddedRelay: Sendable {
    private let server: RelayServer

    init(
        _ settings: RelaySettings, group: any EventLoopGroup, logger: Logger,
        admit: @escaping RelayServer.Admission
    ) {
        var configuration = RelayServer.Configuration()
        configuration.meshKey = settings.mesh?.key
        server = RelayServer(
            privateKey: settings.key, group: group, logger: logger, configuration: configuration,
            admit: admit)
        if let mesh = settings.mesh {
            server.join(mesh.relays, trustFile: mesh.trustFile, group: group)
        }
    }

    var upgrade: RelayUpgrade {
        let server = server
        return RelayUpgrade(
            upgradeHeaders: server.upgradeHeaders.map { ($0.name, $0.value) },
            adopt: { channel, address in
                try server.adopt(channel: channel, remoteAddress: address)
            })
    }

    /// The nodes that are connected, in no order that means anything.
    var clients: [NodeKey] { server.clients }

    func disconnect(_ node: NodeKey) { server.disconnect(node) }
    func shutDown() { server.shutDown() }
}

/// Lets the owner of the network, which the relay asks, reach the relay.
final class RelayLink: Sendable {
    private let relay = Mutex<EmbeddedRelay?>(nil)

    func connect(_ relay: EmbeddedRelay?) { self.relay.withLock { $0 = relay } }
    func disconnect(_ node: NodeKey) { relay.withLock { $0 }?.disconnect(node) }
}
