import LinuxIO
import LinuxRouter
import NetTypes
import NodeCore
import Synchronization

/// The kernel's configuration of the tunnel interface, as far as the node wants to know.
protocol RouterHandle: Sendable {
    /// Makes addresses and routes what is given. Returns what went wrong in one line, or nil.
    func apply(addresses: [IPPrefix], routes: [IPPrefix]) -> String?
    /// Takes everything back that was applied.
    func removeAll()
}

/// The routing of this machine, through rtnetlink.
final class KernelRouter: RouterHandle {
    private let interface: String
    private let router: Mutex<LinuxRouter>

    init(interface: String) throws(SystemError) {
        self.interface = interface
        router = Mutex(try LinuxRouter())
    }

    func apply(addresses: [IPPrefix], routes: [IPPrefix]) -> String? {
        let report = router.withLock { router in
            // Without addresses nothing of ours is to be seen: the interface goes down.
            addresses.isEmpty && routes.isEmpty
                ? router.removeAll(interface: interface)
                : router.apply(
                    RouterConfiguration(
                        interface: interface, mtu: UInt32(tunnelMTU),
                        addresses: addresses.map(\.address), routes: routes))
        }
        guard let first = report.problems.first else { return nil }
        let others = report.problems.count - 1
        return "the kernel refused part of the network configuration: \(first)"
            + (others > 0 ? " (and \(others) more)" : "")
    }

    func removeAll() {
        _ = router.withLock { $0.removeAll(interface: interface) }
    }
}
