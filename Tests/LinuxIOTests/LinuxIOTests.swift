import LinuxIO
import NetTypes
import Synchronization
import Testing

@Suite struct LinuxIOTests {
    @Test func `A wake-up from another thread ends a wait`() throws {
        let wakeup = SharedWakeup(try Wakeup())
        var poller = try Poller()
        try poller.add(wakeup.value.descriptor, token: 7)
        let none = try poller.wait(timeout: .zero)
        #expect(none == 0)
        let thread = try startThread(name: "waker") { wakeup.value.signal() }
        let count = try poller.wait(timeout: nil)
        #expect(count == 1)
        let ready = poller[0]
        #expect(ready.token == 7)
        #expect(ready.interest == .readable)
        thread.join()
        wakeup.value.signal()
        wakeup.value.clear()
        let cleared = try poller.wait(timeout: .zero)
        #expect(cleared == 0)
    }

    @Test func `A wait without anything ready lasts until its timeout`() throws {
        var poller = try Poller()
        let start = BootClock.now()
        let count = try poller.wait(timeout: .milliseconds(20))
        let elapsed = BootClock.now() - start
        #expect(count == 0)
        #expect(elapsed >= .milliseconds(20))
    }

    @Test func `A removed descriptor is not reported`() throws {
        let wakeup = try Wakeup()
        var poller = try Poller()
        try poller.add(wakeup.descriptor, token: 1)
        wakeup.signal()
        try poller.update(wakeup.descriptor, token: 1, for: [])
        let count = try poller.wait(timeout: .zero)
        #expect(count == 0)
        #expect(throws: SystemError("epoll_ctl", code: SystemError.noEntry)) {
            try poller.update(wakeup.descriptor, token: 1, for: .readable)
        }
    }

    @Test func `Joining a thread waits for its end`() throws {
        let counter = Counter()
        let thread = try startThread(name: "a name longer than fifteen") {
            for _ in 0..<1000 { counter.value.withLock { $0 += 1 } }
        }
        thread.join()
        #expect(counter.value.withLock { $0 } == 1000)
    }

    @Test func `Released memory is not resident, and code still runs`() throws {
        // Pages of the file mappings that are resident (proc(5), statm).
        func residentFilePages() throws -> Int {
            let content = try #require(try AtomicFile.read("/proc/self/statm", limit: 4096))
            let fields = String(decoding: content, as: UTF8.self).split(separator: " ")
            return try #require(Int(fields[2]))
        }
        let before = try residentFilePages()
        ProcessMemory.releaseUnused()
        let after = try residentFilePages()
        #expect(after < before)
    }

    @Test func `An error says what failed and why`() {
        let error = SystemError("bind", code: SystemError.addressInUse)
        #expect("\(error)" == "bind: Address already in use")
        #expect("\(SystemError("x", code: 9999))" == "x: error 9999")
    }

    private final class Counter: Sendable {
        let value = Mutex(0)
    }
    private final class SharedWakeup: Sendable {
        let value: Wakeup
        init(_ value: consuming Wakeup) { self.value = value }
    }
}
