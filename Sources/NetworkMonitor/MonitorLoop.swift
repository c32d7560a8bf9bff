internal import LinuxIO
internal import NetTypes
internal import NetlinkSocket
internal import Synchronization

/// What the monitor's thread runs.
final class MonitorLoop: Sendable {
    /// What only the thread touches; taken by it when it begins.
    private struct Resources: ~Copyable {
        var poller: Poller
        var notices: NetlinkSocket
        let clock: ClockWatch
        var reader: LinkStateReader
    }
    private enum Token {
        static var notices: UInt64 { 0 }
        static var wakeup: UInt64 { 1 }
        static var clock: UInt64 { 2 }
    }

    private let wakeup: Wakeup
    private let isStopped = Atomic(false)
    private let resources: Mutex<Resources?>

    /// Opens all descriptors, so that what cannot work is known before the thread starts.
    init(ignoring ignored: String) throws(SystemError) {
        wakeup = try Wakeup()
        let poller = try Poller()
        let notices = try NetlinkSocket(
            subscribedTo: [.links, .ipv4Addresses, .ipv4Routes, .ipv6Addresses, .ipv6Routes])
        try poller.add(notices.descriptor, token: Token.notices)
        try poller.add(wakeup.descriptor, token: Token.wakeup)
        let clock = try ClockWatch()
        try poller.add(clock.descriptor, token: Token.clock)
        let reader = try LinkStateReader(ignoring: ignored)
        resources = Mutex(
            Resources(poller: poller, notices: notices, clock: clock, reader: reader))
    }

    func stop() {
        isStopped.store(true, ordering: .releasing)
        wakeup.signal()
    }

    func run(_ onEvent: (NetworkMonitor.Event) -> Void) {
        guard var resources = resources.withLock({ $0.take() }) else { return }
        var gate = ChangeGate()
        var state = LinkState()
        var reason = NetworkMonitor.Event.Reason.started
        _ = gate.takeSuspension(at: BootClock.now(), awake: BootClock.awakeTime())
        while !isStopped.load(ordering: .acquiring) {
            do throws(SystemError) {
                let found = try resources.reader.read()
                if found != state || reason != .changed {
                    onEvent(NetworkMonitor.Event(reason: reason, state: found))
                }
                state = found
                reason = try waitForReason(&resources, &gate)
            } catch {
                onEvent(NetworkMonitor.Event(reason: .failed(error), state: state))
                reason = .changed
                if !pause(&resources.poller) { return }
            }
        }
    }

    /// Waits until there is a reason to look again; returns `.changed` when stopped, too.
    private func waitForReason(
        _ resources: inout Resources, _ gate: inout ChangeGate
    ) throws(SystemError) -> NetworkMonitor.Event.Reason {
        while !isStopped.load(ordering: .acquiring) {
            let now = BootClock.now()
            let untilLook = gate.nextDeadline.map { $0 - now } ?? NetworkMonitor.clockCheckInterval
            let count = try resources.poller.wait(
                timeout: min(untilLook, NetworkMonitor.clockCheckInterval))
            let then = BootClock.now()
            for index in 0..<count where resources.poller[index].token == Token.clock {
                try resources.clock.rearm()
            }
            for index in 0..<count where resources.poller[index].token == Token.notices {
                // What a notice says does not matter, as everything is read anew; so does not
                // whether one was lost.
                _ = try resources.notices.receiveNotices { _ in }
                gate.noteChange(at: then)
            }
            if let slept = gate.takeSuspension(at: then, awake: BootClock.awakeTime()) {
                return .resumed(after: slept)
            }
            if gate.takeChange(at: then) { return .changed }
        }
        return .changed
    }

    /// After a failure: waits a while before trying again, less when stopped. False when waiting
    /// fails as well.
    private func pause(_ poller: inout Poller) -> Bool {
        (try? poller.wait(timeout: .seconds(1))) != nil
    }
}
