internal import CLinux
package import LinuxIO
package import Segmentation

/// A TUN interface: IP packets without link-layer headers, non-blocking, for one owner at a time.
/// The interface vanishes with this value. Its addresses, MTU and state are the router's matter.
// Unchecked because of the pointer: the memory has one owner, which is what ~Copyable says.
@safe
package struct TunDevice: ~Copyable, @unchecked Sendable {
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
    /// What of its work the host's kernel leaves to us and takes from us.
    package var offloads: TunOffloads { found }
    private let found: TunOffloads
    private let device: Descriptor
    /// The pieces of the packet that is being written.
    private let pieces: UnsafeMutablePointer<clinux_piece>

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
        unsafe pieces = .allocate(capacity: Self.pieceCapacity)
        unsafe pieces.initialize(repeating: clinux_piece(), count: Self.pieceCapacity)
        found = TunOffloads(probing: descriptor)
        var bytes: [UInt8] = []
        for index in 0..<16 where buffer[index] != 0 {
            bytes.append(UInt8(bitPattern: buffer[index]))
        }
        self.name = String(decoding: bytes, as: UTF8.self)
    }

    deinit { unsafe pieces.deallocate() }

    /// The most pieces the kernel takes for one packet (UIO_MAXIOV): a group has fewer packets.
    private static var pieceCapacity: Int { 1024 }

    /// For a `Poller`.
    package var descriptor: Int32 { device.raw }

    /// Reads the next packet the host sends, for which there must be large room. Returns its slot, or nil
    /// when none waits.
    package func receive(into packets: inout HostPackets) throws(SystemError) -> Int? {
        while true {
            let result = unsafe packets.fill { buffer in
                unsafe clinux_read(device.raw, buffer.baseAddress, buffer.count)
            }
            if result.read == Int(-SystemError.wouldBlock)
                || result.read == Int(-SystemError.interrupted)
            {
                return nil
            }
            _ = try check("read TUN", result.read)
            if result.slot >= 0 { return result.slot }
        }
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
        for index in 0..<batch.count where !batch.payloadRange(at: index).isEmpty {
            send(batch.payload(at: index), &outcome)
        }
        return outcome
    }

    /// Hands one packet to the host.
    package func send(_ packet: RawSpan) throws(SystemError) {
        _ = try check("write TUN", write(packet))
    }

    /// Of a packet that is complete the offload header is all zeros.
    private func write(_ packet: RawSpan) -> Int {
        let header: (UInt64, UInt16) = (0, 0)
        return unsafe withUnsafeBytes(of: header) { header in
            unsafe packet.withUnsafeBytes { bytes in
                unsafe pieces[0] = clinux_piece(
                    bytes: header.baseAddress, count: OffloadHeader.byteCount)
                unsafe pieces[1] = clinux_piece(bytes: bytes.baseAddress, count: bytes.count)
                return unsafe clinux_write_pieces(device.raw, pieces, 2)
            }
        }
    }

    /// Hands every group of `coalescer`, whose packets lie in `memory`, to the host. A merged packet that
    /// the kernel refuses is handed over as the packets it was made of.
    package func send(_ coalescer: borrowing Coalescer, of memory: RawSpan) -> SendOutcome {
        var outcome = SendOutcome()
        for index in 0..<coalescer.groupCount {
            let count = coalescer.group(at: index).count
            let result =
                (2..<Self.pieceCapacity).contains(count) ? write(index, of: coalescer, memory) : -1
            if result >= 0 {
                outcome.sent += count
            } else {
                coalescer.forEachPacket(of: index) { send(memory.extracting($0), &outcome) }
            }
        }
        return outcome
    }

    private func send(_ packet: RawSpan, _ outcome: inout SendOutcome) {
        let result = write(packet)
        if result >= 0 {
            outcome.sent += 1
        } else {
            outcome.refused += 1
            outcome.lastError = Int32(-result)
        }
    }

    private func write(
        _ index: Int, of coalescer: borrowing Coalescer, _ memory: RawSpan
    ) -> Int {
        var headers = [128 of UInt8](repeating: 0)
        var span = headers.mutableSpan
        var target = unsafe span.mutableBytes
        let headerCount = coalescer.writeHeaders(of: index, from: memory, to: &target)
        return unsafe target.withUnsafeMutableBytes { headers in
            unsafe memory.withUnsafeBytes { memory in
                unsafe pieces[0] = clinux_piece(bytes: headers.baseAddress, count: headerCount)
                var count = 1
                coalescer.forEachPiece(of: index) { range in
                    unsafe pieces[count] = clinux_piece(
                        bytes: memory.baseAddress! + range.lowerBound, count: range.count)
                    count += 1
                }
                return unsafe clinux_write_pieces(device.raw, pieces, Int32(count))
            }
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
