internal import WireGuardMessages

/// Which counters of a session have been received (RFC 6479): a ring of words with one bit for each
/// of the last 8128 counters. Packets may arrive in any order within it, each of them once.
struct ReplayWindow {
    private static var wordCount: UInt64 { 128 }
    private static var bitsPerWord: UInt64 { 64 }

    private var words = [128 of UInt64](repeating: 0)
    /// The highest counter received; meaningless before the first.
    private var highest: UInt64 = 0

    /// Whether a packet with this counter could still be accepted. Does not change the window:
    /// only authentic packets may.
    func isFresh(_ counter: UInt64) -> Bool {
        guard counter < WireGuardConstants.rejectAfterMessages else { return false }
        if counter > highest { return true }
        guard highest - counter <= WireGuardConstants.replayWindow else { return false }
        return words[word(counter)] & bit(counter) == 0
    }

    /// Records an authentic packet. False when it came before or is too old.
    mutating func accept(_ counter: UInt64) -> Bool {
        guard isFresh(counter) else { return false }
        if counter > highest {
            let steps = counter / Self.bitsPerWord - highest / Self.bitsPerWord
            if steps >= Self.wordCount {
                words = [128 of UInt64](repeating: 0)
            } else if steps > 0 {
                let start = highest / Self.bitsPerWord
                for step in 1...steps { words[Int((start + step) % Self.wordCount)] = 0 }
            }
            highest = counter
        }
        words[word(counter)] |= bit(counter)
        return true
    }

    private func word(_ counter: UInt64) -> Int {
        Int(counter / Self.bitsPerWord % Self.wordCount)
    }
    private func bit(_ counter: UInt64) -> UInt64 { 1 << (counter % Self.bitsPerWord) }
}
