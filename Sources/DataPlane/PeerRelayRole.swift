internal import CryptoPrimitives
internal import Disco
internal import LinuxIO
internal import NetTypes
internal import PeerRelay
internal import UDPSocket

/// This node's UDP relay for others: an engine and sockets of its own on the packet thread.
///
/// Datagrams come and leave in trains. One that is forwarded is not looked into behind its header, and is
/// copied once, to where it can leave with others for the same client, whatever train it came with; its
/// ECN bits go with it.
// A class, so that the loop holds no more than a reference where there is none.
final class PeerRelayRole {
    /// Calls that read from a socket in one wake-up: a flood delays the node's own packets no longer.
    static var callsMax: Int { 4 }

    let settings: PeerRelaySettings
    var server: PeerRelayServer<SecureRandom>
    var addresses: RelayAddressFinder<SecureRandom>
    /// The port that was asked for, or the one that was free.
    let port: UInt16
    let descriptors: (ipv4: Int32, ipv6: Int32?)
    private let ipv4: UDPSocket
    private let ipv6: UDPSocket?
    private var offloads: (ipv4: UDPOffloads, ipv6: UDPOffloads)
    private var arrived = ReceiveBuffer()
    private var leaving = SendBuffer()
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
        do throws(SystemError) {
            offloads = (
                ipv4: try ipv4.wantTrains(), ipv6: try ipv6?.wantTrains() ?? UDPOffloads()
            )
        } catch {
            throw .system(error)
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
        if server.allocationCount == 0 { releaseMemory() }
        addresses.setBusy(server.allocationCount > 0, at: now)
        addresses.handleTimeout(at: now)
        while let (bytes, destination) = addresses.pollTransmit() {
            unsafe send(bytes.span.bytes, to: destination)
        }
    }

    private func releaseMemory() {
        arrived.releaseMemory()
        leaving.releaseMemory()
    }

    /// Takes what waits at a socket, in at most four calls.
    func serve(_ family: UDPSocket.Family, at now: MonotonicInstant) throws(SystemError) {
        for _ in 0..<Self.callsMax {
            let count =
                switch family {
                case .v4: try ipv4.receive(into: &arrived)
                case .v6: try ipv6?.receive(into: &arrived) ?? 0
                }
            guard count > 0 else { return }
            take(arrived, &leaving, at: now)
            flush(&leaving)
            if count < ReceiveBuffer.trainCapacity { return }
        }
    }

    private func take(
        _ arrived: borrowing ReceiveBuffer, _ leaving: inout SendBuffer, at now: MonotonicInstant
    ) {
        for index in 0..<arrived.trainCount {
            let train = arrived.train(at: index)
            guard let source = train.source else { continue }
            var start = train.range.lowerBound
            while start < train.range.upperBound {
                let end = min(start + train.segmentByteCount, train.range.upperBound)
                let datagram = arrived.bytes.extracting(start..<end)
                take(datagram, from: source, ecn: train.ecn, &leaving, at: now)
                start = end
            }
        }
    }

    private func take(
        _ datagram: RawSpan, from source: Endpoint, ecn: UInt8, _ leaving: inout SendBuffer,
        at now: MonotonicInstant
    ) {
        if case .stun = classify(datagram) {
            let isNews = addresses.handleResponse(datagram, at: now)
            if isNews { server.setEndpoints(addresses.endpoints) }
            return
        }
        switch server.handle(datagram, from: source, at: now) {
        case .forward(let destination):
            guard datagram.byteCount <= SendBuffer.trainByteCountMax else {
                notSent += 1
                return
            }
            if !leaving.hasRoom(for: datagram.byteCount) { flush(&leaving) }
            var slot = leaving.free
            slot.copy(datagram, at: 0)
            leaving.append(byteCount: datagram.byteCount, to: .init(destination, ecn: ecn))
        case .reply(let answer): unsafe send(answer.span.bytes, to: source)
        case .bound, .drop: return
        }
    }

    private func flush(_ leaving: inout SendBuffer) {
        guard !leaving.isEmpty else { return }
        note(ipv4.send(leaving, offloads: &offloads.ipv4))
        if let outcome = ipv6?.send(leaving, offloads: &offloads.ipv6) { note(outcome) }
        leaving.removeAll()
    }

    private func note(_ outcome: UDPSocket.TrainOutcome) {
        // A full socket buffer loses the rest, as a full queue of a router would.
        notSent += Int64(outcome.lost)
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
