internal import CLinux
package import NetTypes

/// Waits for descriptors to become ready: an epoll instance and its list of results.
package struct Poller: ~Copyable, Sendable {
    /// What to wait for, and what was found.
    package struct Interest: OptionSet, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }
        /// Also set when the descriptor is in error or hung up: reading then tells why.
        package static let readable = Self(rawValue: CLINUX_READABLE)
        package static let writable = Self(rawValue: CLINUX_WRITABLE)
    }
    /// One descriptor that is ready.
    package struct Ready: Equatable, Sendable {
        /// The token it was added with.
        package var token: UInt64
        package var interest: Interest
    }

    /// Descriptors reported by one call of `wait`; the others are reported by the next.
    package static var readyMax: Int { 16 }

    private let epoll: Descriptor
    private var results = [16 of clinux_ready](repeating: clinux_ready(token: 0, events: 0))
    private var readyCount = 0

    package init() throws(SystemError) {
        epoll = Descriptor(owning: try check("epoll_create", clinux_epoll_create()))
    }

    /// Reports `descriptor` under `token` whenever it is ready (level-triggered). It leaves by
    /// itself when it is closed.
    package func add(
        _ descriptor: Int32, token: UInt64, for interest: Interest = .readable
    ) throws(SystemError) {
        _ = try check(
            "epoll_ctl", clinux_epoll_set(epoll.raw, descriptor, interest.rawValue, token, 1))
    }

    /// Changes what an added descriptor is watched for. An empty `interest` removes it.
    package func update(
        _ descriptor: Int32, token: UInt64, for interest: Interest
    ) throws(SystemError) {
        _ = try check(
            "epoll_ctl", clinux_epoll_set(epoll.raw, descriptor, interest.rawValue, token, 0))
    }

    /// Waits until a descriptor is ready, a signal arrives or `timeout` (nil: none; negative
    /// counts as zero) has passed; returns how many are ready, to be read as `self[0..<count]`.
    package mutating func wait(timeout: Nanoseconds?) throws(SystemError) -> Int {
        let nanoseconds = timeout.map { max(0, $0.count) } ?? -1
        var span = results.mutableSpan
        let count = unsafe span.withUnsafeMutableBufferPointer { buffer in
            unsafe clinux_epoll_wait(
                epoll.raw, buffer.baseAddress!, Int32(buffer.count), nanoseconds)
        }
        readyCount = Int(try check("epoll_wait", count))
        return readyCount
    }

    /// The descriptor reported at `index` by the last `wait`.
    package subscript(index: Int) -> Ready {
        precondition(index < readyCount, "not that many descriptors are ready")
        let result = results[index]
        var interest = Interest(rawValue: result.events).intersection([.readable, .writable])
        if result.events & ~(CLINUX_READABLE | CLINUX_WRITABLE) != 0 { interest.insert(.readable) }
        return Ready(token: result.token, interest: interest)
    }
}
