import LinuxIO
import NetTypes
import Segmentation
import TunDevice

/// The memory through which packets pass, allocated once. It takes part in the process's memory only
/// while there is traffic to speak of.
struct PacketPools: ~Copyable {
    /// Packets of the host, one at a time.
    var host = HostPacket()
    /// What goes to the network.
    var outgoing = SendBuffer()
    /// What came from there, opened where it lies.
    var arrived = ReceiveBuffer()
    /// What of it is for the host.
    var toHost: Coalescer
    /// For sockets of little traffic.
    var batch = PacketBatch()
    /// When much was moved last; nil when the memory was given back since.
    private var busyAt: MonotonicInstant?

    /// Packets that one system call can bring, and some more.
    private static var coalescerCapacity: Int { 512 }
    /// What is less than this passes in a few pages.
    private static var byteCountToRelease: Int { 1 << 14 }
    private static var idleTime: Nanoseconds { .seconds(2) }

    init(kinds: Coalescer.Kinds) {
        toHost = Coalescer(capacity: Self.coalescerCapacity, kinds: kinds)
    }

    @inline(__always)
    mutating func noteMoved(_ byteCount: Int, at now: MonotonicInstant) {
        if byteCount >= Self.byteCountToRelease { busyAt = now }
    }

    /// When to call `releaseIfIdle`.
    var nextDeadline: MonotonicInstant? { busyAt.map { $0 + Self.idleTime } }

    mutating func releaseIfIdle(at now: MonotonicInstant) {
        guard let deadline = nextDeadline, deadline <= now else { return }
        busyAt = nil
        host.releaseMemory()
        outgoing.releaseMemory()
        arrived.releaseMemory()
    }
}
