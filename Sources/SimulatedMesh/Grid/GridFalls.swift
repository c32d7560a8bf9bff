/// How much worse than the committed grid a run may be.
package enum GridMargin {
    /// Where both ports are known in theory, every seed counts; where ports are guessed, this share of
    /// the seeds may be lost to other dice.
    package static var lostSeedsPercent: Int { 20 }
    /// The 95th percentile of a time may grow by these parts, and this many milliseconds.
    package static var timePercent: Int { 25 }
    package static var timeMilliseconds: Int { 50 }
    package static var guessedTimePercent: Int { 100 }
    package static var guessedTimeMilliseconds: Int { 1_000 }
}

/// What is worse in `now` than in `committed`, one line each.
package func gridFalls(from committed: [GridRow], to now: [GridRow]) -> [String] {
    var falls: [String] = []
    for old in committed {
        guard let new = now.first(where: { $0.one == old.one && $0.other == old.other }) else {
            falls.append("\(old.one) – \(old.other): not in the grid any more")
            continue
        }
        falls += gridFalls(from: old, to: new)
    }
    return falls
}

private func gridFalls(from old: GridRow, to new: GridRow) -> [String] {
    let name = "\(old.one) – \(old.other)"
    let isGuess = old.theory == Theory.guess.rawValue || old.theory == Theory.guessBoth.rawValue
    let seedsMin =
        isGuess
        ? old.directCount - max(1, old.seedCount * GridMargin.lostSeedsPercent / 100)
        : old.directCount
    var falls: [String] = []
    // In parts of the committed number of seeds, should the numbers differ.
    if new.directCount * old.seedCount < seedsMin * new.seedCount {
        falls.append(
            "\(name): direct in \(new.directCount)/\(new.seedCount), "
                + "committed \(old.directCount)/\(old.seedCount)")
    }
    func compare(_ what: String, _ old: Int?, _ new: Int?, isGuess: Bool) {
        guard let old, let new else { return }
        let (percent, fixed) =
            isGuess
            ? (GridMargin.guessedTimePercent, GridMargin.guessedTimeMilliseconds)
            : (GridMargin.timePercent, GridMargin.timeMilliseconds)
        let limit = old + old * percent / 100 + fixed
        if new > limit {
            falls.append("\(name): \(what) p95 \(new) ms, committed \(old) ms, limit \(limit) ms")
        }
    }
    compare("direct", old.directP95, new.directP95, isGuess: isGuess)
    compare("first packet", old.firstPacketP95, new.firstPacketP95, isGuess: false)
    return falls
}
