package import NetTypes

/// The timestamp inside an initiation: seconds since 1970 TAI, offset by 2^62, then nanoseconds,
/// both big-endian. Its bytes and its values sort alike.
package struct TAI64N: Hashable, Comparable, Sendable {
    package static var byteCount: Int { 12 }

    /// Whitening: stamps are multiples of 2^24 nanoseconds (16.8 ms), so that they tell nothing
    /// about what the machine did when.
    private static let step: UInt32 = 1 << 24

    package var seconds: UInt64
    package var nanoseconds: UInt32

    /// The stamp of `time`, whitened. Times before 1970 count as 1970.
    package init(_ time: Timestamp) {
        seconds = 0x4000_0000_0000_000A + UInt64(max(0, time.unixSeconds))
        nanoseconds = time.nanoseconds / Self.step * Self.step
    }

    /// Traps unless `bytes` has twelve. Any value is accepted: only their order matters.
    package init(_ bytes: RawSpan) {
        precondition(bytes.byteCount == Self.byteCount, "a TAI64N has twelve bytes")
        seconds = bytes.bigEndian(at: 0)
        nanoseconds = bytes.bigEndian(at: 8)
    }

    package var array: [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendBigEndian(seconds)
        bytes.appendBigEndian(nanoseconds)
        return bytes
    }

    /// The next stamp a whitened clock shows.
    package var successor: TAI64N {
        var next = self
        next.nanoseconds = nanoseconds / Self.step * Self.step + Self.step
        if next.nanoseconds >= 1_000_000_000 {
            next.nanoseconds = 0
            next.seconds += 1
        }
        return next
    }

    package static func < (left: Self, right: Self) -> Bool {
        (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
    }
}
