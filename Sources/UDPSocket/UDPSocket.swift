internal import CLinux
package import LinuxIO
package import NetTypes

/// A bound UDP socket of one address family, for one owner at a time; non-blocking.
package struct UDPSocket: ~Copyable, Sendable {
    package enum Family: Int32, Sendable, CaseIterable {
        case v4 = 4
        /// IPv6 only: v4-mapped addresses are not carried.
        case v6 = 6
    }

    package enum OpenError: Error, Equatable {
        case portInUse(UInt16)
        /// Ports below 1024 are for root.
        case portNotPermitted(UInt16)
        /// A packet mark needs CAP_NET_ADMIN.
        case markNotPermitted
        /// The kernel runs without this family.
        case familyUnsupported(Family)
        case system(SystemError)
    }

    /// The buffer size to ask for in each direction.
    package static var bufferByteCount: Int32 { 7 << 20 }

    package let family: Family
    /// The port the socket is bound to.
    package let port: UInt16
    let socket: Descriptor

    /// Binds to all addresses of `family`. Port 0 lets the kernel choose; mark 0 sets none. Buffers
    /// of `bufferByteCount` are asked for; without privileges the system's limit caps them.
    package init(
        family: Family, port: UInt16 = 0, mark: UInt32 = 0,
        bufferByteCount: Int32 = Self.bufferByteCount
    ) throws(OpenError) {
        try self.init(
            descriptor: clinux_udp_open(family.rawValue, port, mark, bufferByteCount),
            family: family, port: port)
    }

    /// Binds to one local address; an unspecified one is every address of its family. `mark` as above.
    package init(
        local: Endpoint, mark: UInt32 = 0, bufferByteCount: Int32 = Self.bufferByteCount
    ) throws(OpenError) {
        try self.init(
            descriptor: clinux_udp_open_at(clinux_address(local), mark, bufferByteCount),
            family: local.address.isIPv4 ? .v4 : .v6, port: local.port)
    }

    /// Sends and receives by one interface only, which link-local addresses need. Some systems
    /// refuse it to the unprivileged.
    package func bind(toInterface name: String) throws(SystemError) {
        _ = try check("bind to \(name)", unsafe clinux_bind_to_device(socket.raw, name))
    }

    private init(descriptor: Int32, family: Family, port: UInt16) throws(OpenError) {
        guard descriptor >= 0 else {
            throw OpenError(code: -descriptor, family: family, port: port)
        }
        let socket = Descriptor(owning: descriptor)
        let bound = clinux_socket_port(socket.raw)
        guard bound >= 0 else { throw .system(SystemError("getsockname", code: -bound)) }
        self.socket = socket
        self.family = family
        self.port = UInt16(bound)
    }

    /// For a `Poller`.
    package var descriptor: Int32 { socket.raw }

    /// Replaces the contents of `batch` by the datagrams that wait, at most `PacketBatch.capacity`;
    /// their endpoints are the senders. Returns how many there are; 0 when none waits.
    package func receive(into batch: inout PacketBatch) throws(SystemError) -> Int {
        let received = unsafe batch.fill { slots in
            unsafe clinux_udp_receive(socket.raw, slots.baseAddress!, Int32(slots.count))
        }
        if received == -SystemError.wouldBlock || received == -SystemError.interrupted { return 0 }
        return Int(try check("recvmmsg", received))
    }

    /// What became of a batch.
    package struct SendOutcome: Equatable, Sendable {
        /// Datagrams handed to the kernel.
        package var sent = 0
        /// Datagrams the kernel refused (no route, forbidden, too large); each is skipped.
        package var refused = 0
        /// Why the last of the refused ones was, an `errno`.
        package var lastError: Int32?
        /// The slot to go on with when the socket's buffer is full, otherwise the batch's count.
        package var next = 0

        package init(sent: Int = 0, refused: Int = 0, lastError: Int32? = nil, next: Int = 0) {
            self.sent = sent
            self.refused = refused
            self.lastError = lastError
            self.next = next
        }
    }

    /// Sends the packets of `batch` from slot `start` on whose payload is not empty and whose
    /// endpoint is of this socket's family. Stops when the socket's buffer is full.
    package func send(_ batch: borrowing PacketBatch, from start: Int = 0) -> SendOutcome {
        unsafe send(batch, from: start) { slots, position, count, examined in
            unsafe clinux_udp_send(
                socket.raw, slots + position, count, family.rawValue, &examined)
        }
    }

    /// `body` gets all slots and sends at most so many from a position on.
    func send(
        _ batch: borrowing PacketBatch, from start: Int,
        _ body: (UnsafePointer<clinux_datagram>, Int, Int32, inout Int32) -> Int32
    ) -> SendOutcome {
        var outcome = SendOutcome(next: start)
        let count = batch.count
        while outcome.next < count {
            var examined: Int32 = 0
            let result = unsafe batch.withSlots { slots in
                unsafe body(
                    slots.baseAddress!, outcome.next, Int32(count - outcome.next), &examined)
            }
            // `examined` slots are dealt with: sent, or not for this socket.
            outcome.next += Int(examined)
            if result >= 0 {
                outcome.sent += Int(result)
            } else if result == -SystemError.wouldBlock {
                break
            } else if result != -SystemError.interrupted {
                outcome.refused += 1
                outcome.lastError = -result
                outcome.next += 1
            }
        }
        return outcome
    }

    /// Sends one datagram.
    package func send(_ payload: RawSpan, to endpoint: Endpoint) throws(SystemError) {
        let result = unsafe payload.withUnsafeBytes { bytes in
            unsafe clinux_udp_send_one(
                socket.raw, bytes.baseAddress, bytes.count, clinux_address(endpoint))
        }
        _ = try check("sendto", result)
    }
}

extension UDPSocket.OpenError: CustomStringConvertible {
    fileprivate init(code: Int32, family: UDPSocket.Family, port: UInt16) {
        self =
            switch code {
            case SystemError.addressInUse: .portInUse(port)
            case SystemError.accessDenied: .portNotPermitted(port)
            case SystemError.notPermitted: .markNotPermitted
            case SystemError.familyUnsupported, SystemError.addressUnavailable:
                .familyUnsupported(family)
            default: .system(SystemError("open UDP socket", code: code))
            }
    }

    package var description: String {
        switch self {
        case .portInUse(let port): "UDP port \(port) is in use by another program"
        case .portNotPermitted(let port): "UDP port \(port) is reserved for root"
        case .markNotPermitted: "marking packets needs root or CAP_NET_ADMIN"
        case .familyUnsupported(let family): "this machine has no IP\(family)"
        case .system(let error): "\(error)"
        }
    }
}
