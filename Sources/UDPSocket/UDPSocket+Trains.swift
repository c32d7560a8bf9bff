package import CLinux
package import LinuxIO

/// What the kernel does for a socket with trains of datagrams.
package struct UDPOffloads: Equatable, Sendable {
    /// It cuts what is sent into datagrams.
    package var segments: Bool
    /// It joins what arrives.
    package var joins: Bool

    /// Of a socket that was not asked.
    package init(segments: Bool = false, joins: Bool = false) {
        self.segments = segments
        self.joins = joins
    }
}

extension UDPSocket {
    /// From now on trains are received as such and carry ECN. Returns what the kernel can do.
    package func wantTrains() throws(SystemError) -> UDPOffloads {
        let joins = try check("IP_RECVTOS", clinux_udp_want_trains(descriptor, family.rawValue))
        return UDPOffloads(
            segments: clinux_udp_can_segment(descriptor) != 0, joins: joins != 0)
    }

    /// Replaces the contents of `buffer` by the trains that wait. Returns how many there are; 0 when none
    /// waits. Without `wantTrains` each datagram is a train.
    package func receive(into buffer: inout ReceiveBuffer) throws(SystemError) -> Int {
        let received = unsafe buffer.fill { trains in
            unsafe clinux_udp_receive_trains(
                descriptor, trains.baseAddress!, Int32(trains.count))
        }
        if received == -SystemError.wouldBlock || received == -SystemError.interrupted { return 0 }
        return Int(try check("recvmmsg", received))
    }

    /// What became of trains, in datagrams.
    package struct TrainOutcome: Equatable, Sendable {
        package var sent = 0
        /// The kernel refused them: no route, forbidden, too large.
        package var refused = 0
        /// The socket's buffer was full.
        package var left = 0
        /// Why the last of the refused ones was, an `errno`.
        package var lastError: Int32?
        /// Those that did not leave.
        package var lost: Int { refused + left }

        package init(sent: Int = 0, refused: Int = 0, left: Int = 0, lastError: Int32? = nil) {
            self.sent = sent
            self.refused = refused
            self.left = left
            self.lastError = lastError
        }
    }

    /// Sends the trains of `buffer` that are of this socket's family. Where the kernel turns out not to
    /// segment, `offloads` says so from then on, and they go as single datagrams.
    package func send(
        _ buffer: borrowing SendBuffer, offloads: inout UDPOffloads
    ) -> TrainOutcome {
        unsafe buffer.withTrains { unsafe send($0, offloads: &offloads) }
    }

    /// As `send(_:offloads:)`.
    package func send(
        _ trains: UnsafeBufferPointer<clinux_train>, offloads: inout UDPOffloads
    ) -> TrainOutcome {
        var segmenting: Int32 = offloads.segments ? 1 : 0
        let sent = unsafe clinux_udp_send_trains(
            descriptor, trains.baseAddress, Int32(trains.count), family.rawValue, &segmenting)
        offloads.segments = segmenting != 0
        return TrainOutcome(
            sent: Int(sent.sent), refused: Int(sent.refused), left: Int(sent.left),
            lastError: sent.last_error == 0 ? nil : sent.last_error)
    }
}
