import NetTypes

/// The kernel's configuration of the tunnel interface, as far as the node wants to know.
protocol RouterHandle: Sendable {
    /// Makes addresses and routes what is given. Returns what went wrong in one line, or nil.
    func apply(addresses: [IPPrefix], routes: [IPPrefix]) -> String?
    /// Takes everything back that was applied.
    func removeAll()
}
