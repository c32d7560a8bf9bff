internal import CLinux

/// An open file descriptor, closed when its owner goes.
package struct Descriptor: ~Copyable, Sendable {
    /// The number of the descriptor. Valid as long as this value lives.
    package let raw: Int32

    /// Takes ownership of `raw`.
    package init(owning raw: Int32) { self.raw = raw }

    deinit { _ = clinux_close(raw) }
}
