package import CryptoPrimitives
internal import LinuxIO
package import Logging
package import NetReport
package import NetTypes
package import NodeCore
internal import Synchronization
package import TunDevice
package import UDPSocket
internal import WireGuard

/// The thread that owns the tunnel: TUN, UDP sockets, WireGuard, path finding, filter.
///
/// It takes its orders as values (`configure`) and through small notes, all of them by a mailbox
/// with limits; nothing here waits for it except the calls that are `async`.
package final class DataPlane: Sendable {
    /// Sends a packet by relay: `region`, receiver, packet. Called on the packet thread; must not
    /// block.
    package typealias RelaySender = @Sendable (Int, NodeKey, RawSpan) -> Void

    /// What the thread is born with.
    package struct Setup: ~Copyable, Sendable {
        package var discoKey: PrivateKey<DiscoKind>
        /// Nil: packets for this host end here.
        package var tun: TunDevice?
        package var ipv4: UDPSocket?
        package var ipv6: UDPSocket?
        /// Peers may be on this very machine: for tests.
        package var acceptsLoopback: Bool
        /// The mark of the sockets above, for those that are opened later.
        package var socketMark: UInt32
        /// Peers that were met through hard NATs before.
        package var hardNATPeers: [NodeKey]
        /// Of the NATs of networks that this node was in before.
        package var lifetimes: [LearnedLifetime]

        package init(
            discoKey: PrivateKey<DiscoKind>, tun: consuming TunDevice?,
            ipv4: consuming UDPSocket?, ipv6: consuming UDPSocket?,
            acceptsLoopback: Bool = false, socketMark: UInt32 = 0, hardNATPeers: [NodeKey] = [],
            lifetimes: [LearnedLifetime] = []
        ) {
            self.acceptsLoopback = acceptsLoopback
            self.socketMark = socketMark
            self.hardNATPeers = hardNATPeers
            self.lifetimes = lifetimes
            self.discoKey = discoKey
            self.tun = tun
            self.ipv4 = ipv4
            self.ipv6 = ipv6
        }
    }

    enum Request: Sendable {
        case ping(NodeKey, IPAddress, isThroughTunnel: Bool, @Sendable (PingOutcome) -> Void)
        case netcheck(@Sendable (NetReport?) -> Void)
        case snapshot(@Sendable (DataPlaneSnapshot) -> Void)
        case uapi(UAPI.Request, @Sendable (String) -> Void)
    }

    private let mailbox: Mailbox
    private let relay = RelayOutlet()
    private let thread: Mutex<RunningThread?>

    /// Starts the thread.
    package init(
        _ setup: consuming Setup, logger: Logger,
        onEvent: @escaping @Sendable (DataPlaneEvent) -> Void
    ) throws {
        let mailbox = try Mailbox()
        self.mailbox = mailbox
        let relay = relay
        let box = Mutex<Setup?>(setup)
        let start = HandOver(box)
        let running = try startThread(name: "skein-packets") {
            guard let setup = start.take() else { return }
            do {
                var loop = try PacketLoop(
                    setup, mailbox: mailbox, relay: relay, logger: logger, onEvent: onEvent)
                try loop.run()
            } catch {
                logger.critical("the packet thread ended: \(error)")
            }
        }
        thread = Mutex(running)
    }

    /// Ends the thread, and with it the TUN interface and the sockets.
    package func stop() {
        mailbox.put { $0.isStopping = true }
        let running = thread.withLock { $0.take() }
        if let running { running.join() }
    }

    // MARK: Orders

    /// Replaces the configuration; peers that are in both keep their sessions and paths.
    package func configure(_ configuration: TunnelConfiguration) {
        mailbox.put { $0.configuration = configuration }
    }

    /// Where relayed packets go from now on.
    package func setRelay(_ sender: RelaySender?) { relay.set(sender) }

    /// The time as the server sees it. Peers take no handshake that is older than the last: a machine
    /// whose clock was set back needs it to be heard by them.
    package func setClock(_ clock: ServerClock) { mailbox.put { $0.serverClock = clock } }

    /// How this machine is connected.
    package func setLinks(_ links: LinkSummary) { mailbox.put { $0.links = links } }

    /// Endpoints that gateways forward to this node's sockets.
    package func setPortMappedEndpoints(_ endpoints: [Endpoint]) {
        mailbox.put { $0.portMappedEndpoints = endpoints }
    }

    /// Whether many ports are tried where a NAT gives each destination one of its own. They are at
    /// first.
    package func setHardNATSearch(isEnabled: Bool) {
        mailbox.put { $0.searchesHardNAT = isEnabled }
    }

    /// Whether and how this node relays UDP for peers that may use it; nil: it does not.
    package func setPeerRelay(_ settings: PeerRelaySettings?) {
        mailbox.put { $0.peerRelay = .some(settings) }
    }

    /// Nothing that was known about paths holds any more. Set the new addresses before.
    package func handleLinkChange() { mailbox.put { $0.didLinkChange = true } }

    /// The relay says that a peer is not connected to it. Notes beyond a limit are lost, which costs
    /// no more than packets to that relay.
    package func note(peer: NodeKey, leftRelay region: Int) {
        mailbox.put { contents in
            guard contents.peersGone.count < Mailbox.noteCountMax else { return }
            contents.peersGone.append((peer, region))
        }
    }

    package func note(relayLatency: Nanoseconds, region: Int) {
        mailbox.put { contents in
            contents.relayLatencies.removeAll { $0.region == region }
            contents.relayLatencies.append((region, relayLatency))
        }
    }

    /// Takes in packets that came by relay; drops and counts them when too many wait.
    package func receive(_ batch: RelayBatch) { mailbox.put(relayBatch: batch) }

    // MARK: Questions

    /// Pings a peer over the path in use, or its address through the tunnel.
    package func ping(
        _ peer: NodeKey, address: IPAddress, isThroughTunnel: Bool
    ) async -> PingOutcome {
        await ask(instead: .tooMany) { .ping(peer, address, isThroughTunnel: isThroughTunnel, $0) }
    }

    /// Measures the network; nil when that did not end.
    package func netcheck() async -> NetReport? {
        await ask(instead: nil) { .netcheck($0) }
    }

    package func snapshot() async -> DataPlaneSnapshot {
        await ask(instead: DataPlaneSnapshot(takenAt: BootClock.now())) { .snapshot($0) }
    }

    /// Answers a whole request of `wg`, its empty line included. Peers that are set this way are
    /// plain WireGuard peers beside those of the configuration; keys and ports are not set here.
    package func answerUAPI(_ request: [UInt8]) async -> String {
        do throws(UAPI.ParseError) {
            let parsed = try unsafe UAPI.parse(request.span.bytes)
            let busy = UAPI.response(errno: UAPI.Errno.io)
            return await ask(instead: busy) { .uapi(parsed, $0) }
        } catch {
            return UAPI.response(errno: error.errno)
        }
    }

    /// Whether bytes hold a whole UAPI request, and how long one may be.
    package static func isCompleteUAPI(_ bytes: [UInt8]) -> Bool {
        unsafe UAPI.isComplete(bytes.span.bytes)
    }
    package static var maximumUAPIByteCount: Int { UAPI.maximumRequestByteCount }

    private func ask<Answer: Sendable>(
        instead: Answer, _ request: (@escaping @Sendable (Answer) -> Void) -> Request
    ) async -> Answer {
        await withCheckedContinuation { continuation in
            if !mailbox.put(request: request { continuation.resume(returning: $0) }) {
                continuation.resume(returning: instead)
            }
        }
    }
}

/// Hands a value that cannot be copied to another thread, once.
private final class HandOver: Sendable {
    private let value: Mutex<DataPlane.Setup?>
    init(_ value: consuming sending Mutex<DataPlane.Setup?>) { self.value = value }
    func take() -> DataPlane.Setup? { value.withLock { $0.take() } }
}

/// The way to the relay connections, which may be replaced while packets flow.
final class RelayOutlet: Sendable {
    /// A bare function kept by a generic type is wrapped once more by each access through `inout`;
    /// after some hundred thousand wake-ups the call through all wrappers would exhaust the stack.
    private struct Sender: Sendable {
        var send: DataPlane.RelaySender?
    }

    private let sender = Mutex(Sender())

    func set(_ new: DataPlane.RelaySender?) { sender.withLock { $0.send = new } }

    /// The sender to use for one wake-up. It leaves the lock inside its structure: a bare function would be
    /// wrapped, which allocates.
    var current: DataPlane.RelaySender? { sender.withLock { $0 }.send }
}
