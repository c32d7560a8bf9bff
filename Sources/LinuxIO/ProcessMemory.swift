internal import CLinux

package enum ProcessMemory {
    /// Gives back what this process does not need while it is idle: `releaseCode`, and free pages of the
    /// heap, which takes the longer the larger that is. Worth it once a minute.
    package static func releaseUnused() {
        clinux_trim_heap()
        releaseCode()
    }

    /// Gives back the mapped pages of code and constants: most of what a start, a login or a look at the
    /// network needs is not used again for a while. What is used later is mapped again out of the
    /// kernel's cache of the file, 64 KiB at a time, which takes about a microsecond; the call itself
    /// takes some ten.
    package static func releaseCode() { clinux_release_code() }
}
