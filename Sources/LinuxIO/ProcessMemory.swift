internal import CLinux

package enum ProcessMemory {
    /// Gives back what this process does not need while it is idle: free pages of the heap, and the
    /// mapped pages of code (most of a start's and a login's is not run again). Code that runs later
    /// is mapped again out of the kernel's cache, which takes about a microsecond for 64 KiB; the
    /// call itself takes about a millisecond. Worth it after a start, not in a loop.
    package static func releaseUnused() { clinux_release_memory() }
}
