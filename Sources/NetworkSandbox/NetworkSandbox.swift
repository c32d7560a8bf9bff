internal import CLinux
internal import LinuxIO
internal import Synchronization

/// A network of its own for tests that touch interfaces, addresses and routes: nothing they do
/// reaches the host's.
package enum NetworkSandbox {
    /// Whether this process may make network namespaces; needs root, or `unshare -Ur` around it.
    package static let isPermitted: Bool =
        (try? run { true }) ?? false

    /// Runs `body` on a thread of its own in a new network namespace whose loopback is up, and
    /// returns what it returns. Descriptors opened in it stay in that network wherever they go.
    package static func run<Result: Sendable>(
        _ body: @escaping @Sendable () throws -> Result
    ) throws -> Result {
        let outcome = Outcome<Result>()
        let thread = try startThread(name: "sandbox") {
            outcome.set(
                Swift.Result {
                    _ = try check("unshare network", clinux_network_unshare())
                    _ = unsafe try check("set lo up", clinux_link_up("lo"))
                    return try body()
                })
        }
        thread.join()
        return try outcome.get()
    }
}

private final class Outcome<Value: Sendable>: Sendable {
    private let value = Mutex<Result<Value, any Error>?>(nil)

    func set(_ result: Result<Value, any Error>) { value.withLock { $0 = result } }
    func get() throws -> Value {
        guard let result = value.withLock({ $0 }) else { preconditionFailure("the thread ended") }
        return try result.get()
    }
}
