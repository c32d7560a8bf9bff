internal import CLinux
package import LinuxIO
package import NetTypes

/// The address of this machine that each datagram of a batch was sent to or shall be sent from, by
/// slot. A socket bound to all addresses needs it to answer from where it was asked.
package struct LocalAddresses: ~Copyable {
    var storage = [clinux_address](repeating: clinux_address(), count: PacketBatch.capacity)

    package init() {}

    /// Nil: not known, or the kernel's choice.
    package subscript(slot: Int) -> IPAddress? {
        get { Endpoint(storage[slot])?.address }
        set { storage[slot] = clinux_address(newValue.map { Endpoint($0, port: 0) }) }
    }
}

extension UDPSocket {
    /// From now on `receive(into:locals:)` knows where datagrams were sent to.
    package func wantLocalAddresses() throws(SystemError) {
        _ = try check(
            "IP_PKTINFO", clinux_udp_want_local(descriptor, family.rawValue))
    }

    /// As `receive(into:)`.
    package func receive(
        into batch: inout PacketBatch, locals: inout LocalAddresses
    ) throws(SystemError) -> Int {
        let received = unsafe batch.fill { slots in
            unsafe locals.storage.withUnsafeMutableBufferPointer { locals in
                unsafe clinux_udp_receive_local(
                    descriptor, slots.baseAddress!, locals.baseAddress!, Int32(slots.count))
            }
        }
        if received == -SystemError.wouldBlock || received == -SystemError.interrupted { return 0 }
        return Int(try check("recvmmsg", received))
    }

    /// As `send(_:from:)`; each datagram leaves from its local address.
    package func send(
        _ batch: borrowing PacketBatch, from start: Int = 0, locals: borrowing LocalAddresses
    ) -> SendOutcome {
        unsafe send(batch, from: start) { slots, position, count, examined in
            unsafe locals.storage.withUnsafeBufferPointer { addresses in
                unsafe clinux_udp_send_local(
                    descriptor, slots + position, addresses.baseAddress! + position, count,
                    family.rawValue, &examined)
            }
        }
    }
}
