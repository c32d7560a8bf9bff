internal import CLinux
internal import LinuxIO
internal import Logging
internal import NetTypes
internal import PathEngine
internal import UDPSocket

/// The IPv4 sockets that path finding has asked for beside the main one, by number: some hundreds for a
/// few seconds where a NAT is hard, then one for each peer behind it, none on most nodes.
struct SideSockets {
    /// A socket and what it has done. Its descriptor is closed with the last reference.
    final class Side {
        let socket: UDPSocket
        var notSent: Int64 = 0

        private var offloads: UDPOffloads

        init(_ socket: consuming UDPSocket) throws(SystemError) {
            offloads = try socket.wantTrains()
            self.socket = socket
        }

        func send(_ trains: UnsafeBufferPointer<clinux_train>) {
            let outcome = unsafe socket.send(trains, offloads: &offloads)
            notSent += Int64(outcome.refused + outcome.left)
        }

        func send(_ payload: RawSpan, to endpoint: Endpoint) {
            do throws(SystemError) {
                try socket.send(payload, to: endpoint)
            } catch {
                notSent += 1
            }
        }
    }

    /// Whatever path finding asks for, there are no more.
    static var countMax: Int { 640 }
    static var bufferByteCount: Int32 { 1 << 20 }

    private var sides: [UInt32: Side] = [:]
    /// Of sockets that are closed.
    private var pastNotSent: Int64 = 0

    var isEmpty: Bool { sides.isEmpty }
    var count: Int { sides.count }
    var notSent: Int64 { sides.values.reduce(pastNotSent) { $0 + $1.notSent } }

    subscript(_ socket: LocalSocket) -> Side? { sides[socket.number] }

    mutating func insert(_ side: Side, as socket: LocalSocket) { sides[socket.number] = side }

    mutating func close(_ socket: LocalSocket) {
        guard let side = sides.removeValue(forKey: socket.number) else { return }
        pastNotSent += side.notSent
    }

    mutating func closeAll() {
        pastNotSent = notSent
        sides = [:]
    }
}

extension PacketLoop {
    /// Sends a message of path finding by a side socket, which is opened if it is not there.
    mutating func sendAside(_ bytes: [UInt8], to endpoint: Endpoint, by socket: LocalSocket) {
        guard let side = sideSockets[socket] ?? open(socket) else {
            return paths.noteSocketFailed(socket)
        }
        unsafe side.send(bytes.span.bytes, to: endpoint)
    }

    private mutating func open(_ socket: LocalSocket) -> SideSockets.Side? {
        guard sideSockets.count < SideSockets.countMax else { return nil }
        do throws(UDPSocket.OpenError) {
            let opened = try UDPSocket(
                family: .v4, mark: socketMark, bufferByteCount: SideSockets.bufferByteCount)
            let side: SideSockets.Side
            do throws(SystemError) {
                side = try SideSockets.Side(opened)
                try poller.add(side.socket.descriptor, token: Token.side(socket))
            } catch {
                throw .system(error)
            }
            sideSockets.insert(side, as: socket)
            paths.noteSocketOpened(socket, port: side.socket.port)
            return side
        } catch {
            logger.notice("no further UDP socket", metadata: ["reason": "\(error)"])
            return nil
        }
    }

    /// Sends a packet at once when the way to its endpoint is by a side socket or a peer relay. Returns the endpoint
    /// if it is left to the main ones.
    @inline(__always)
    func sendAside(_ payload: RawSpan, to endpoint: Endpoint?) -> Endpoint? {
        guard let endpoint else { return nil }
        if endpoint.isRelayedPath {
            sendByPeerRelay(payload, to: endpoint)
            return nil
        }
        guard !sideSockets.isEmpty, let side = side(to: endpoint) else { return endpoint }
        side.send(payload, to: endpoint)
        return nil
    }

    /// The number of the side socket by which the way to an endpoint goes; 0 for the main ones.
    @inline(__always)
    func sideSocket(to endpoint: Endpoint) -> UInt32 {
        guard !sideSockets.isEmpty else { return 0 }
        let socket = paths.localSocket(to: endpoint)
        return socket.isMain || sideSockets[socket] == nil ? 0 : socket.number
    }

    /// Sends what goes by side sockets.
    func sendAside(_ outgoing: inout SendBuffer) {
        unsafe outgoing.takeSideTrains { number, trains in
            unsafe sideSockets[LocalSocket(number: number)]?.send(trains)
        }
    }

    private func side(to endpoint: Endpoint) -> SideSockets.Side? {
        let socket = paths.localSocket(to: endpoint)
        return socket.isMain ? nil : sideSockets[socket]
    }

    mutating func readAside(_ token: UInt64, _ pools: inout PacketPools) throws(SystemError) {
        let number = LocalSocket(number: UInt32(truncatingIfNeeded: token - Token.firstSide))
        // It may have been closed since it became ready.
        guard let side = sideSockets[number] else { return }
        var budget = Self.byteBudget
        while budget > 0 {
            guard try side.socket.receive(into: &pools.arrived) > 0 else { return }
            budget -= takeTrains(&pools, by: number)
        }
    }

    mutating func closeSideSockets() {
        while let socket = paths.pollSocketClosure() { sideSockets.close(socket) }
    }
}
