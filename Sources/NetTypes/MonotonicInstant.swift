/// A length of time in nanoseconds. `Duration` is 16 bytes and forty times slower to add and
/// compare, which matters where a packet is timed.
@frozen
public struct Nanoseconds: Hashable, Comparable, Sendable, BitwiseCopyable {
    public var count: Int64

    @inlinable public init(count: Int64) { self.count = count }

    @inlinable public static var zero: Self { Self(count: 0) }
    @inlinable public static func microseconds(_ value: Int64) -> Self {
        Self(count: value * 1_000)
    }
    @inlinable public static func milliseconds(_ value: Int64) -> Self {
        Self(count: value * 1_000_000)
    }
    @inlinable public static func seconds(_ value: Int64) -> Self {
        Self(count: value * 1_000_000_000)
    }
    @inlinable public static func minutes(_ value: Int64) -> Self { .seconds(value * 60) }

    @inlinable public static func < (left: Self, right: Self) -> Bool { left.count < right.count }
    @inlinable public static func + (left: Self, right: Self) -> Self {
        Self(count: left.count + right.count)
    }
    @inlinable public static func - (left: Self, right: Self) -> Self {
        Self(count: left.count - right.count)
    }
    @inlinable public static func * (left: Self, right: Int64) -> Self {
        Self(count: left.count * right)
    }
    @inlinable public static func / (left: Self, right: Int64) -> Self {
        Self(count: left.count / right)
    }

    /// Fractional seconds, for people and for JSON.
    @inlinable public var inSeconds: Double { Double(count) / 1e9 }
    /// Fractional milliseconds, for people.
    @inlinable public var inMilliseconds: Double { Double(count) / 1e6 }
}

/// A point on a clock that only moves forward and counts time spent suspended (`CLOCK_BOOTTIME`).
///
/// Engines never read a clock: a driver reads it once for each wake-up and passes the value in.
@frozen
public struct MonotonicInstant: Hashable, Comparable, Sendable, BitwiseCopyable {
    /// Nanoseconds since an arbitrary origin.
    public var nanoseconds: UInt64

    @inlinable public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    @inlinable public static func < (left: Self, right: Self) -> Bool {
        left.nanoseconds < right.nanoseconds
    }
    @inlinable public static func + (left: Self, right: Nanoseconds) -> Self {
        Self(nanoseconds: UInt64(bitPattern: Int64(bitPattern: left.nanoseconds) &+ right.count))
    }
    @inlinable public static func - (left: Self, right: Nanoseconds) -> Self {
        left + Nanoseconds(count: -right.count)
    }
    @inlinable public static func - (left: Self, right: Self) -> Nanoseconds {
        Nanoseconds(
            count: Int64(bitPattern: left.nanoseconds) &- Int64(bitPattern: right.nanoseconds))
    }
}

/// The earlier of two deadlines, either of which may be absent.
@inlinable
public func earliest(_ left: MonotonicInstant?, _ right: MonotonicInstant?) -> MonotonicInstant? {
    guard let left else { return right }
    guard let right else { return left }
    return min(left, right)
}
