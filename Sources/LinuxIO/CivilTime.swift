internal import Glibc
package import NetTypes

/// The time of day (`CLOCK_REALTIME`), which people and other clocks may set.
package enum CivilTime {
    package static func now() -> Timestamp {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(unixSeconds: Int64(time.tv_sec), nanoseconds: UInt32(time.tv_nsec))
    }
}
