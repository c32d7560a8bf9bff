package import CLinux
package import NetTypes

/// Datagrams that an engine writes one behind the other, so that those of one receiver and length leave
/// by one system call that carries them as one piece (a train). Memory is allocated once.
// Unchecked because of the pointers: the memory has one owner, which is what ~Copyable says.
@safe
package struct SendBuffer: ~Copyable, @unchecked Sendable {
    /// The kernel cuts a train into no more datagrams.
    package static var datagramsMax: Int { 64 }
    /// Of a train: the largest UDP payload of IPv4.
    package static var trainByteCountMax: Int { 65_507 }
    /// Trains in the buffer.
    package static var trainCapacity: Int { 64 }

    package let byteCapacity: Int
    package private(set) var trainCount = 0
    /// Where the next datagram begins.
    private var position = 0
    @usableFromInline let memory: UnsafeMutableRawBufferPointer
    private let trains: UnsafeMutablePointer<clinux_train>
    /// Of each train, by which socket it goes: 0 is the main one.
    private var sockets = [UInt32](repeating: 0, count: Self.trainCapacity)

    package init(byteCapacity: Int = 4 << 16) {
        self.byteCapacity = byteCapacity
        unsafe memory = .allocate(byteCount: byteCapacity, alignment: 4096)
        unsafe trains = .allocate(capacity: Self.trainCapacity)
        unsafe trains.initialize(repeating: clinux_train(), count: Self.trainCapacity)
        // What was in the memory before is nobody's business, and untouched pages take no memory.
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
        releaseMemory()
    }

    deinit {
        unsafe memory.deallocate()
        unsafe trains.deallocate()
    }

    package var isEmpty: Bool { trainCount == 0 }
    /// All datagrams together.
    package var byteCount: Int { position }

    package mutating func removeAll() {
        trainCount = 0
        position = 0
    }

    /// Gives the memory back to the system until it is next used.
    package mutating func releaseMemory() {
        removeAll()
        unsafe clinux_release_pages(memory.baseAddress, memory.count)
    }

    /// Whether a datagram that takes `byteCount` bytes while it is written has room.
    package func hasRoom(for byteCount: Int) -> Bool {
        trainCount < Self.trainCapacity && position + byteCount <= byteCapacity
    }

    /// The memory from where the next datagram begins.
    package var free: MutableRawSpan {
        @_lifetime(&self)
        mutating get {
            let bytes = unsafe UnsafeMutableRawBufferPointer(rebasing: memory[position...])
            return unsafe _overrideLifetime(MutableRawSpan(_unsafeBytes: bytes), mutating: &self)
        }
    }

    /// Where datagrams go.
    package struct Target: BitwiseCopyable {
        fileprivate var address: clinux_address
        fileprivate var ecn: UInt8
        fileprivate var socket: UInt32

        /// `ecn` are the two bits of the IP header; `socket` is the number of the socket by which they
        /// leave.
        package init(_ endpoint: Endpoint, ecn: UInt8 = 0, socket: UInt32 = 0) {
            address = clinux_address(endpoint)
            self.ecn = ecn
            self.socket = socket
        }
    }

    /// The first `byteCount` bytes of `free` are a datagram for `target`.
    package mutating func append(byteCount: Int, to target: Target) {
        precondition(
            byteCount > 0 && byteCount <= Self.trainByteCountMax && hasRoom(for: byteCount),
            "no room for the datagram")
        if trainCount > 0, sockets[trainCount - 1] == target.socket,
            unsafe extend(trains + (trainCount - 1), by: byteCount, target)
        {
            position += byteCount
            return
        }
        unsafe trains[trainCount] = clinux_train(
            bytes: memory.baseAddress! + position, count: UInt32(byteCount),
            segment: UInt16(byteCount), ecn: target.ecn, truncated: 0, address: target.address)
        sockets[trainCount] = target.socket
        trainCount += 1
        position += byteCount
    }

    /// Adds a datagram to the last train if it may be the next of it.
    private func extend(
        _ train: UnsafeMutablePointer<clinux_train>, by byteCount: Int, _ target: Target
    ) -> Bool {
        let segment = Int(unsafe train.pointee.segment)
        let count = Int(unsafe train.pointee.count)
        // What is longer than the first, or comes after a shorter one, begins a train of its own.
        guard byteCount <= segment, count % segment == 0, count / segment < Self.datagramsMax,
            count + byteCount <= Self.trainByteCountMax, unsafe train.pointee.ecn == target.ecn,
            unsafe train.pointee.address.isEqual(to: target.address)
        else { return false }
        unsafe train.pointee.count += UInt32(byteCount)
        return true
    }

    // MARK: For drivers

    /// The trains, for a driver to send from.
    package func withTrains<Result>(
        _ body: (UnsafeBufferPointer<clinux_train>) -> Result
    ) -> Result {
        unsafe body(UnsafeBufferPointer(start: trains, count: trainCount))
    }

    /// Hands every train of another socket than the main one to `body`, with the socket's number, and
    /// takes it out.
    package mutating func takeSideTrains(
        _ body: (UInt32, UnsafeBufferPointer<clinux_train>) -> Void
    ) {
        for index in 0..<trainCount where sockets[index] != 0 {
            unsafe body(
                sockets[index], UnsafeBufferPointer(start: trains + index, count: 1))
            unsafe trains[index].count = 0
        }
    }
}

extension clinux_address {
    fileprivate func isEqual(to other: clinux_address) -> Bool {
        unsafe withUnsafeBytes(of: self) { left in
            unsafe withUnsafeBytes(of: other) { right in
                unsafe left.loadUnaligned(as: UInt64.self) == right.loadUnaligned(as: UInt64.self)
                    && left.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
                        == right.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
                    && left.loadUnaligned(fromByteOffset: 16, as: UInt32.self)
                        == right.loadUnaligned(fromByteOffset: 16, as: UInt32.self)
            }
        }
    }
}
