import NIOCore
import NetTypes

/// Rings at the moments at which a node is told that the server is there. The clock is the one that
/// the embedded relay goes by.
final class KeepAliveAlarm: Sendable {
    private let eventLoop: any EventLoop
    private let node: NodeKey
    private let period: Nanoseconds
    private let ring: @Sendable () -> Void
    private let timer: NIOLoopBoundBox<Scheduled<Void>?>

    init(
        on eventLoop: any EventLoop, for node: NodeKey, period: Nanoseconds,
        ring: @escaping @Sendable () -> Void
    ) {
        self.eventLoop = eventLoop
        self.node = node
        self.period = period
        self.ring = ring
        timer = .makeEmptyBox(eventLoop: eventLoop)
        eventLoop.execute { self.wind() }
    }

    func stop() {
        eventLoop.execute { [self] in timer.value?.cancel() }
    }

    private func wind() {
        let now = MonotonicInstant(nanoseconds: NIODeadline.now().uptimeNanoseconds)
        let due = KeepAlive.next(for: node, after: now, period: period)
        timer.value = eventLoop.scheduleTask(
            deadline: .uptimeNanoseconds(due.nanoseconds)
        ) { [self] in
            ring()
            wind()
        }
    }
}
