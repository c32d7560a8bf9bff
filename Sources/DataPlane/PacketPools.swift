import FairQueue
import LinuxIO
import NetTypes
import Segmentation
import TunDevice

/// The memory through which packets pass, allocated once. It takes part in the process's memory only
/// while there is traffic to speak of.
struct PacketPools: ~Copyable {
    /// Packets of the host: what fast TCP streams send in 4 ms (BBR loses many packets where there is room
    /// for less), and what a flood of small ones brings in 3 ms.
    var host = HostPackets(largeCount: 64, smallCount: 512)
    /// Their order.
    var waiting: FairQueue
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
    private var codeReleasedAt: MonotonicInstant?

    /// Packets that one system call can bring, and some more.
    private static var coalescerCapacity: Int { 512 }
    /// What is less than this passes in a few pages.
    private static var byteCountToRelease: Int { 1 << 14 }
    private static var idleTime: Nanoseconds { .seconds(2) }
    /// Without traffic the thread wakes a few times a minute, and others then work for it; with traffic
    /// few pages are needed again.
    private static var codeTime: Nanoseconds { .seconds(10) }

    init(kinds: Coalescer.Kinds) {
        waiting = FairQueue(slotCount: host.slotCount)
        toHost = Coalescer(capacity: Self.coalescerCapacity, kinds: kinds)
    }

    @inline(__always)
    mutating func noteMoved(_ byteCount: Int, at now: MonotonicInstant) {
        if byteCount >= Self.byteCountToRelease { busyAt = now }
    }

    /// When to call `releaseIfIdle`.
    var nextDeadline: MonotonicInstant? { busyAt.map { $0 + Self.idleTime } }

    /// Gives back memory when nothing happens, and now and then code that ran once.
    mutating func releaseIfIdle(at now: MonotonicInstant) {
        if let deadline = nextDeadline, deadline <= now, waiting.isEmpty {
            busyAt = nil
            host.releaseMemory()
            outgoing.releaseMemory()
            arrived.releaseMemory()
        }
        if let last = codeReleasedAt, now - last < Self.codeTime { return }
        codeReleasedAt = now
        ProcessMemory.releaseCode()
    }
}
