internal import CLinux
package import LinuxIO
internal import NetTypes
package import Netlink

/// A socket to the kernel's routing tables, for one owner at a time.
package struct NetlinkSocket: ~Copyable, Sendable {
    /// What the kernel shall tell of its own accord (`RTMGRP_…`).
    package struct Groups: OptionSet, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }
        package static var links: Self { Self(rawValue: 0x1) }
        package static var ipv4Addresses: Self { Self(rawValue: 0x10) }
        package static var ipv4Routes: Self { Self(rawValue: 0x40) }
        package static var ipv6Addresses: Self { Self(rawValue: 0x100) }
        package static var ipv6Routes: Self { Self(rawValue: 0x400) }
    }

    /// The kernel sends at most 32 KiB at once to a reader that offers as much.
    private static var bufferByteCount: Int { 32_768 }
    /// How often a dump is begun anew because what it shows changed meanwhile.
    private static var dumpAttempts: Int { 5 }
    /// How long the kernel may take for one answer. It answers within microseconds.
    private static var answerTimeout: Nanoseconds { .seconds(5) }

    private let socket: Descriptor
    private var buffer: [UInt8]
    private var sequence: UInt32 = 0

    /// A socket for requests, which waits for their answers.
    package init() throws(SystemError) {
        let socket = Descriptor(owning: try check("open netlink", clinux_netlink_open(0, 1)))
        _ = try check(
            "set netlink timeout",
            clinux_receive_timeout(socket.raw, Self.answerTimeout.count / 1000))
        self.socket = socket
        buffer = [UInt8](repeating: 0, count: Self.bufferByteCount)
    }

    /// A non-blocking socket that is told what changes.
    package init(subscribedTo groups: Groups) throws(SystemError) {
        socket = Descriptor(
            owning: try check("open netlink", clinux_netlink_open(groups.rawValue, 0)))
        buffer = [UInt8](repeating: 0, count: Self.bufferByteCount)
    }

    /// For a `Poller`.
    package var descriptor: Int32 { socket.raw }

    /// Sends a request that changes something and waits for the kernel's acknowledgement. `operation`
    /// names it in errors.
    package mutating func perform(
        _ operation: @autoclosure () -> String, _ request: NetlinkRequest
    ) throws(SystemError) {
        try send(operation(), request)
        while true {
            let count = try receive(operation())
            let code = try codeOfAnswer(operation(), in: count) { _ in }
            if let code {
                if code != 0 { throw SystemError(operation(), code: code) }
                return
            }
        }
    }

    /// Asks for a table and calls `body` with each of its entries, or again with all of them when the
    /// table changed meanwhile: `restart` is called before each attempt.
    package mutating func dump(
        _ operation: @autoclosure () -> String, _ request: NetlinkRequest, restart: () -> Void,
        entry body: (borrowing NetlinkMessage) -> Void
    ) throws(SystemError) {
        for _ in 0..<Self.dumpAttempts {
            restart()
            try send(operation(), request)
            var isInterrupted = false
            while true {
                let count = try receive(operation())
                let code = try codeOfAnswer(operation(), in: count) { message in
                    if message.flags.contains(.dumpInterrupted) { isInterrupted = true }
                    body(message)
                }
                guard let code else { continue }
                if code != 0 { throw SystemError(operation(), code: code) }
                break
            }
            if !isInterrupted { return }
        }
        throw SystemError(operation(), code: SystemError.tryAgain)
    }

    /// Calls `body` with what a subscribed socket was told, until nothing is left. Returns false when
    /// something was lost because it came faster than it was read.
    package mutating func receiveNotices(
        _ body: (borrowing NetlinkMessage) -> Void
    ) throws(SystemError) -> Bool {
        var isComplete = true
        // Bounded, so that a flood of changes cannot keep the caller here.
        for _ in 0..<64 {
            let count: Int
            do throws(SystemError) {
                count = try receive("read netlink")
            } catch {
                switch error.code {
                case SystemError.wouldBlock: return isComplete
                case SystemError.interrupted: continue
                case SystemError.noBuffers:
                    isComplete = false
                    continue
                default: throw error
                }
            }
            var reader = unsafe NetlinkReader(buffer.span.bytes.extracting(first: count))
            do throws(NetlinkError) {
                while let message = try reader.next() { body(message) }
            } catch {
                isComplete = false
            }
        }
        return isComplete
    }

    private mutating func send(_ operation: String, _ request: NetlinkRequest) throws(SystemError) {
        sequence &+= 1
        let bytes = request.encoded(sequence: sequence)
        let result = unsafe bytes.withUnsafeBytes { bytes in
            unsafe clinux_write(socket.raw, bytes.baseAddress, bytes.count)
        }
        _ = try check(operation, result)
    }

    /// Bytes of the next datagram, which stands in `buffer`.
    private mutating func receive(_ operation: String) throws(SystemError) -> Int {
        let count = unsafe buffer.withUnsafeMutableBytes { bytes in
            unsafe clinux_netlink_receive(socket.raw, bytes.baseAddress, bytes.count)
        }
        return try check(operation, count)
    }

    /// Reads the answers to the current request in the first `count` bytes of the buffer: entries go
    /// to `entry`; returns the error number once the end is reached, otherwise nil. What answers an
    /// earlier request, one that timed out, is skipped.
    private func codeOfAnswer(
        _ operation: @autoclosure () -> String, in count: Int,
        entry: (borrowing NetlinkMessage) -> Void
    ) throws(SystemError) -> Int32? {
        var reader = unsafe NetlinkReader(buffer.span.bytes.extracting(first: count))
        do throws(NetlinkError) {
            while let message = try reader.next() {
                guard message.sequence == sequence else { continue }
                switch message.type {
                case .error, .done:
                    guard let code = message.errorCode else { throw .badLength(0) }
                    return code
                case .noOperation: continue
                default: entry(message)
                }
            }
            return nil
        } catch {
            throw SystemError(operation(), code: SystemError.badMessage)
        }
    }
}
