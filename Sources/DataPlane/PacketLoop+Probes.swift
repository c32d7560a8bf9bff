import LinuxIO
import Logging
import NetReport
import NetTypes
import UDPSocket

/// A socket that only finds out what the NAT in our way does; it lives for a few seconds.
final class ProbeSocket {
    let socket: UDPSocket

    init(_ family: UDPSocket.Family, mark: UInt32) throws(UDPSocket.OpenError) {
        socket = try UDPSocket(family: family, mark: mark, bufferByteCount: 1 << 16)
    }
}

// The sockets of behaviour discovery.
extension PacketLoop {
    /// Opens as many as can be had.
    mutating func openProbes(_ count: Int) {
        closeProbes()
        let mark = hasTun ? SocketMark.bypassingTunnel : 0
        do {
            for number in 0..<count {
                let probe = try ProbeSocket(links.nat64 == nil ? .v4 : .v6, mark: mark)
                try poller.add(probe.socket.descriptor, token: Token.probes + UInt64(number))
                probes.append(probe)
            }
        } catch {
            logger.info("no socket to look into the NAT", metadata: ["reason": "\(error)"])
        }
        netReport.handleProbeSockets(ports: probes.map { $0.socket.port }, at: now)
    }

    /// The kernel forgets a descriptor's place in the poller when it is closed.
    mutating func closeProbes() { probes = [] }

    mutating func send(_ bytes: [UInt8], to endpoint: Endpoint, byProbe number: Int) {
        guard number < probes.count, let endpoint = outward(endpoint) else { return }
        do throws(SystemError) {
            try unsafe probes[number].socket.send(bytes.span.bytes, to: endpoint)
        } catch {
            counters.notSent += 1
        }
    }

    mutating func readProbe(_ number: Int, _ batch: inout PacketBatch) throws(SystemError) {
        // Closed earlier in this wake-up.
        guard number < probes.count else { return }
        let count = try probes[number].socket.receive(into: &batch)
        for index in 0..<count {
            guard let source = inward(batch.endpoint(at: index)) else { continue }
            netReport.handleProbeDatagram(
                batch.payload(at: index), socket: number, from: source, at: now)
        }
        batch.removeAll()
    }
}
