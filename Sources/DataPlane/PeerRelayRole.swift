internal import CryptoPrimitives
internal import Disco
internal import LinuxIO
internal import NetTypes
internal import PeerRelay
internal import UDPSocket

/// This node's UDP relay for others: an engine and sockets of its own on the packet thread.
///
/// A packet that is forwarded is neither copied nor looked into: it leaves from the memory that it was
/// received into, in the batch that it came with.
// A class, so that the loop holds no more than a reference where there is none.
final class PeerRelayRole {
    /// Batches taken from a socket in one wake-up: a flood delays the node's own packets no longer.
    static var batchesMax: Int { 4 }

    let settings: PeerRelaySettings
    var server: PeerRelayServer<SecureRandom>
    var addresses: RelayAddressFinder<SecureRandom>
    /// The port that was asked for, or the one that was free.
    let port: UInt16
    let descriptors: (ipv4: Int32, ipv6: Int32?)
    private let ipv4: UDPSocket
    private let ipv6: UDPSocket?
    private var batch = PacketBatch()
    private(set) var notSent: Int64 = 0

    /// Opens the sockets: IPv4, and IPv6 on the same port where the system has it.
    init(_ settings: PeerRelaySettings, mark: UInt32) throws(UDPSocket.OpenError) {
        self.settings = settings
        let ipv4 = try UDPSocket(family: .v4, port: settings.port, mark: mark)
        port = ipv4.port
        var ipv6: UDPSocket?
        do throws(UDPSocket.OpenError) {
            ipv6 = try UDPSocket(family: .v6, port: port, mark: mark)
        } catch .familyUnsupported {
            ipv6 = nil
        }
        descriptors = (ipv4.descriptor, ipv6?.descriptor)
        addresses = RelayAddressFinder(
            ipv4Port: port, ipv6Port: ipv6?.port, fixed: settings.staticEndpoints,
            random: SecureRandom())
        server = PeerRelayServer(key: PrivateKey(), random: SecureRandom())
        server.setEndpoints(settings.staticEndpoints)
        self.ipv4 = consume ipv4
        self.ipv6 = ipv6
    }

    var nextDeadline: MonotonicInstant? {
        earliest(server.nextDeadline, addresses.nextDeadline)
    }

    func setLinks(_ new: [IPAddress], at now: MonotonicInstant) {
        addresses.setAddresses(new, at: now)
        server.setEndpoints(addresses.endpoints)
    }

    func handleTimeout(at now: MonotonicInstant) {
        server.handleTimeout(at: now)
        addresses.setBusy(server.allocationCount > 0, at: now)
        addresses.handleTimeout(at: now)
        while let (bytes, destination) = addresses.pollTransmit() {
            unsafe send(bytes.span.bytes, to: destination)
        }
    }

    /// Takes what waits at a socket, at most four batches.
    func serve(_ family: UDPSocket.Family, at now: MonotonicInstant) throws(SystemError) {
        try serve(family, &batch, at: now)
    }

    private func serve(
        _ family: UDPSocket.Family, _ batch: inout PacketBatch, at now: MonotonicInstant
    ) throws(SystemError) {
        for _ in 0..<Self.batchesMax {
            let count =
                switch family {
                case .v4: try ipv4.receive(into: &batch)
                case .v6: try ipv6?.receive(into: &batch) ?? 0
                }
            guard count > 0 else { return }
            for index in 0..<batch.count { take(&batch, at: index, at: now) }
            flush(&batch)
            if count < PacketBatch.capacity { return }
        }
    }

    private func take(_ batch: inout PacketBatch, at index: Int, at now: MonotonicInstant) {
        guard let source = batch.endpoint(at: index) else { return batch.drop(at: index) }
        if case .stun = classify(batch.payload(at: index)) {
            let isNews = addresses.handleResponse(batch.payload(at: index), at: now)
            if isNews { server.setEndpoints(addresses.endpoints) }
            return batch.drop(at: index)
        }
        switch server.handle(batch.payload(at: index), from: source, at: now) {
        case .forward(let destination): batch.setEndpoint(destination, at: index)
        case .reply(let answer):
            unsafe send(answer.span.bytes, to: source)
            batch.drop(at: index)
        case .bound, .drop: batch.drop(at: index)
        }
    }

    private func flush(_ batch: inout PacketBatch) {
        note(ipv4.send(batch), of: batch.count)
        if let outcome = ipv6?.send(batch) { note(outcome, of: batch.count) }
        batch.removeAll()
    }

    private func note(_ outcome: UDPSocket.SendOutcome, of count: Int) {
        // A full socket buffer loses the rest, as a full queue of a router would.
        notSent += Int64(outcome.refused + count - outcome.next)
    }

    private func send(_ bytes: RawSpan, to destination: Endpoint) {
        do throws(SystemError) {
            if destination.address.isIPv4 {
                try ipv4.send(bytes, to: destination)
            } else {
                try ipv6?.send(bytes, to: destination)
            }
        } catch {
            notSent += 1
        }
    }
}
