import NetTypes

/// Notices from a gateway's epoch that it has lost its mappings (RFC 6887 §8.5, which also fits
/// RFC 6886 §3.6).
struct EpochWatch {
    private var last: (epoch: Int64, at: MonotonicInstant)?

    /// Takes a fresh epoch, in seconds. Returns whether the gateway was restarted since the last.
    mutating func note(_ epoch: UInt32, at now: MonotonicInstant) -> Bool {
        let epoch = Int64(epoch)
        defer { last = (epoch, now) }
        guard let last else { return false }
        let theirs = epoch - last.epoch
        let ours = (now - last.at).count / 1_000_000_000
        if theirs < -1 { return true }
        return ours + 2 < theirs - theirs / 16 || theirs + 2 < ours - ours / 16
    }
}
