internal import CLinux
package import LinuxIO

/// A TUN interface: IP packets without link-layer headers, non-blocking, for one owner at a time.
/// The interface vanishes with this value. Its addresses, MTU and state are the router's matter.
package struct TunDevice: ~Copyable, Sendable {
    package enum OpenError: Error, Equatable {
        /// There is no `/dev/net/tun`: the kernel module is not loaded or the container lacks it.
        case noDevice
        /// Needs root or CAP_NET_ADMIN.
        case notPermitted
        /// Another program holds an interface of this name.
        case nameInUse(String)
        /// Not 1...15 bytes without `/`, or the name of an interface of another kind.
        case badName(String)
        case system(SystemError)
    }

    /// What the kernel named the interface.
    package let name: String
    private let device: Descriptor

    /// Opens or creates the interface. A name with `%d` in it gets the first free number.
    package init(name: String) throws(OpenError) {
        guard (1...15).contains(name.utf8.count), !name.utf8.contains(UInt8(ascii: "/")) else {
            throw .badName(name)
        }
        var buffer = [16 of CChar](repeating: 0)
        for (index, byte) in name.utf8.enumerated() { buffer[index] = CChar(bitPattern: byte) }
        var span = buffer.mutableSpan
        let descriptor = unsafe span.withUnsafeMutableBufferPointer { buffer in
            unsafe clinux_tun_open(buffer.baseAddress!)
        }
        guard descriptor >= 0 else { throw OpenError(code: -descriptor, name: name) }
        device = Descriptor(owning: descriptor)
        var bytes: [UInt8] = []
        for index in 0..<16 where buffer[index] != 0 {
            bytes.append(UInt8(bitPattern: buffer[index]))
        }
        self.name = String(decoding: bytes, as: UTF8.self)
    }

    /// For a `Poller`.
    package var descriptor: Int32 { device.raw }

    /// Replaces the contents of `batch` by the packets the host sends, at most
    /// `PacketBatch.capacity`. Returns how many there are; 0 when none waits.
    package func receive(into batch: inout PacketBatch) throws(SystemError) -> Int {
        let received = unsafe batch.fill { slots in
            unsafe clinux_tun_receive(device.raw, slots.baseAddress!, Int32(slots.count))
        }
        if received == -SystemError.wouldBlock || received == -SystemError.interrupted { return 0 }
        return Int(try check("read TUN", received))
    }

    /// What became of a batch.
    package struct SendOutcome: Equatable, Sendable {
        /// Packets handed to the host.
        package var sent = 0
        /// Packets the kernel refused: malformed, or the interface is down.
        package var refused = 0
        /// Why the last of the refused ones was, an `errno`.
        package var lastError: Int32?

        package init(sent: Int = 0, refused: Int = 0, lastError: Int32? = nil) {
            self.sent = sent
            self.refused = refused
            self.lastError = lastError
        }
    }

    /// Hands every packet of `batch` whose payload is not empty to the host.
    package func send(_ batch: borrowing PacketBatch) -> SendOutcome {
        var outcome = SendOutcome()
        for index in 0..<batch.count {
            let packet = batch.payload(at: index)
            if packet.byteCount == 0 { continue }
            let result = write(packet)
            if result >= 0 {
                outcome.sent += 1
            } else {
                outcome.refused += 1
                outcome.lastError = Int32(-result)
            }
        }
        return outcome
    }

    /// Hands one packet to the host.
    package func send(_ packet: RawSpan) throws(SystemError) {
        _ = try check("write TUN", write(packet))
    }

    private func write(_ packet: RawSpan) -> Int {
        unsafe packet.withUnsafeBytes { bytes in
            unsafe clinux_write(device.raw, bytes.baseAddress, bytes.count)
        }
    }
}

extension TunDevice.OpenError: CustomStringConvertible {
    fileprivate init(code: Int32, name: String) {
        self =
            switch code {
            case SystemError.noEntry, SystemError.noDevice, SystemError.noDeviceOrAddress:
                .noDevice
            case SystemError.notPermitted, SystemError.accessDenied: .notPermitted
            case SystemError.busy: .nameInUse(name)
            case SystemError.invalidArgument: .badName(name)
            default: .system(SystemError("open TUN \(name)", code: code))
            }
    }

    package var description: String {
        switch self {
        case .noDevice: "there is no /dev/net/tun; load the kernel module: modprobe tun"
        case .notPermitted: "opening a TUN interface needs root or CAP_NET_ADMIN"
        case .nameInUse(let name): "another program holds the interface \(name)"
        case .badName(let name):
            "\(name) cannot be the tunnel's interface: an interface of another kind has the name, or it is no name"
        case .system(let error): "\(error)"
        }
    }
}
