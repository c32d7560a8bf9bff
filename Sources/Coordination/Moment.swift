package import NetTypes

/// One instant on both clocks: timers run on the first, expiry dates on the second.
package struct Moment: Hashable, Sendable {
    package var monotonic: MonotonicInstant
    package var wall: Timestamp

    package init(monotonic: MonotonicInstant, wall: Timestamp) {
        self.monotonic = monotonic
        self.wall = wall
    }
}
