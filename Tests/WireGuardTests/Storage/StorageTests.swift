import NetTypes
import Testing

@testable import WireGuard

@Suite("WireGuard storage")
struct StorageTests {
    @Test(arguments: [1, 2, 3])
    func theTrieFindsWhatASearchOfAllPrefixesFinds(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var trie = PrefixTrie()
        var naive: [(key: UInt128, length: Int, value: Int)] = []
        // Few distinct bits, at both ends and in the middle, so that prefixes nest and collide.
        func randomKey() -> UInt128 {
            let bits = UInt128(random.next() & 0xF)
            return bits << 124 | UInt128(random.next() & 7) << 62 | UInt128(random.next() & 3)
        }
        func masked(_ key: UInt128, _ length: Int) -> UInt128 {
            length == 0 ? 0 : key & (UInt128.max << UInt128(128 - length))
        }
        for step in 0..<3000 {
            let key = randomKey()
            let length = [0, 1, 2, 3, 4, 32, 64, 65, 66, 126, 127, 128][
                Int(random.next() % 12)]
            let value = Int(random.next() % 8)
            let place = naive.firstIndex { $0.length == length && $0.key == masked(key, length) }
            if random.next() % 3 == 0 {
                let removed = trie.remove(key, length: length)
                #expect(removed == place.map { naive[$0].value }, "seed \(seed) step \(step)")
                if let place { naive.remove(at: place) }
            } else {
                let previous = trie.insert(key, length: length, value: value)
                #expect(previous == place.map { naive[$0].value }, "seed \(seed) step \(step)")
                if let place { naive.remove(at: place) }
                naive.append((masked(key, length), length, value))
            }
            #expect(trie.count == naive.count)
            let probe = randomKey()
            let expected = naive.filter { masked(probe, $0.length) == $0.key }
                .max { $0.length < $1.length }?.value
            #expect(trie.longestMatch(probe) == expected, "seed \(seed) step \(step)")
        }
    }

    @Test func theTrieReusesItsNodes() {
        var trie = PrefixTrie()
        for round in 0..<50 {
            for bits in 0..<64 { trie.insert(UInt128(bits) << 122, length: 6, value: round) }
            for bits in 0..<64 { #expect(trie.remove(UInt128(bits) << 122, length: 6) == round) }
        }
        #expect(trie.count == 0)
        #expect(trie.nodeCount <= 127)
    }

    @Test(arguments: [0, 31, 63, 64, 127, 8127, 8128, 100_000])
    func theReplayWindowAgreesWithASet(_ start: UInt64) {
        var random = SeededRandom(seed: start)
        var window = ReplayWindow()
        var seen: Set<UInt64> = []
        var highest: UInt64?
        for step in 0..<20_000 {
            let reach: UInt64 = step % 1000 == 0 ? 20_000 : 9000
            let base = highest ?? start
            let counter =
                random.next() % 2 == 0 ? base + random.next() % 40 : base &- random.next() % reach
            guard counter < 1 << 60 else { continue }
            let isTooOld = highest.map { counter < $0 && $0 - counter > 8128 } ?? false
            let expected = !isTooOld && seen.insert(counter).inserted
            #expect(window.isFresh(counter) == expected, "counter \(counter) step \(step)")
            let isAccepted = window.accept(counter)
            #expect(isAccepted == expected, "counter \(counter) step \(step)")
            if expected { highest = max(highest ?? 0, counter) }
        }
        #expect(seen.count > 5000)
    }

    @Test func theReplayWindowEndsAtTheLastCounter() {
        var window = ReplayWindow()
        let last = UInt64.max - (1 << 13) - 1
        #expect(!window.isFresh(last + 1))
        let isAccepted = window.accept(last)
        #expect(isAccepted)
        #expect(!window.isFresh(last) && window.isFresh(last - 1) && !window.isFresh(0))
    }

    @Test func theIndexTableAgreesWithADictionary() {
        // A generator of few values makes keys collide and clusters grow.
        struct Narrow: RandomNumberGenerator {
            var inner = SeededRandom(seed: 5)
            mutating func next() -> UInt64 { inner.next() & 0x3FF }
        }
        var narrow = Narrow()
        var random = SeededRandom(seed: 6)
        var table = IndexTable()
        var model: [UInt32: IndexEntry] = [:]
        for step in 0..<5000 {
            let number = Int(random.next() % 100)
            let entry: IndexEntry = step % 2 == 0 ? .session(number) : .initiation(peer: number)
            switch random.next() % 4 {
            case 0,
                1 where model.count < 600:
                let key = table.insert(entry, random: &narrow)
                #expect(model[key] == nil)
                model[key] = entry
            case 2:
                if let key = model.keys.sorted().dropFirst(number).first {
                    table.replace(key, with: entry)
                    model[key] = entry
                }
            default:
                let key = UInt32(random.next() & 0x3FF)
                table.remove(key)
                model[key] = nil
            }
            #expect(table.count == model.count)
        }
        for key in UInt32(0)..<0x400 { #expect(table[key] == model[key]) }
    }

    @Test func theDeadlineQueueAgreesWithASearch() {
        var random = SeededRandom(seed: 9)
        var queue = DeadlineQueue()
        var model: [Int: MonotonicInstant] = [:]
        for _ in 0..<5000 {
            let number = Int(random.next() % 40)
            let deadline: MonotonicInstant? =
                random.next() % 4 == 0
                ? nil : MonotonicInstant(nanoseconds: random.next() % 50)
            queue.set(deadline, for: number)
            model[number] = deadline
            #expect(queue.deadline(of: number) == deadline)
            #expect(queue.earliest == model.values.min())
            let now = MonotonicInstant(nanoseconds: random.next() % 50)
            let due = model.filter { $0.value <= now }.min {
                ($0.value, $0.key) < ($1.value, $1.key)
            }
            #expect(queue.firstDue(at: now) == due?.key)
        }
    }

    @Test func theBoundedQueueKeepsOrderAndLimit() {
        var queue = BoundedQueue<Int>(limit: 5)
        var model: [Int] = []
        var random = SeededRandom(seed: 3)
        for value in 0..<1000 {
            switch random.next() % 3 {
            case 0:
                let isAdded = queue.append(value)
                #expect(isAdded == (model.count < 5))
                if isAdded { model.append(value) }
            case 1:
                let isDropping = queue.appendDroppingOldest(value)
                #expect(isDropping == (model.count == 5))
                if isDropping { model.removeFirst() }
                model.append(value)
            default:
                let popped = queue.popFirst()
                #expect(popped == (model.isEmpty ? nil : model.removeFirst()))
            }
            #expect(queue.count == model.count && queue.first == model.first)
        }
    }

    @Test func theSlabKeepsIndicesAndDestroysEachElementOnce() {
        final class Counter { var alive = 0 }
        struct Element: ~Copyable {
            let value: Int
            let counter: Counter
            init(_ value: Int, _ counter: Counter) {
                self.value = value
                self.counter = counter
                counter.alive += 1
            }
            deinit { counter.alive -= 1 }
        }
        let counter = Counter()
        do {
            var slab = Slab<Element>()
            for value in 0..<100 {
                let reserved = slab.reserveIndex()
                let index = slab.insert(Element(value, counter))
                #expect(index == value && reserved == value)
            }
            for index in stride(from: 0, to: 100, by: 3) { slab.remove(index) }
            #expect(counter.alive == 66)
            let kept = slab[50].value
            #expect(kept == 50)
            let (hasFirst, hasSecond, isOutside) = (
                slab.contains(0), slab.contains(1), slab.contains(-1) || slab.contains(1 << 20)
            )
            #expect(!hasFirst && hasSecond && !isOutside)
            let reused = slab.insert(Element(7, counter))
            #expect(reused % 3 == 0)
        }
        #expect(counter.alive == 0)
    }

    @Test func bucketsRefillAndSourcesAreForgotten() {
        var limiter = SourceRateLimiter()
        var now = MonotonicInstant(nanoseconds: 5_000_000_000)
        func source(_ last: UInt8) -> PacketSource {
            .direct(Endpoint(.v4(IPv4Address(192, 0, 2, last)), port: UInt16(last)))
        }
        var allowed = 0
        for _ in 0..<20 where limiter.allows(source(1), at: now) { allowed += 1 }
        #expect(allowed == 5)
        let other = limiter.allows(source(2), at: now)
        #expect(other, "another source has its own tokens")
        now = now + .milliseconds(49)
        let early = limiter.allows(source(1), at: now)
        now = now + .milliseconds(1)
        let later = limiter.allows(source(1), at: now)
        #expect(!early && later, "a token every fiftieth of a second")
        now = now + .seconds(2)
        _ = limiter.allows(source(3), at: now)
        #expect(limiter.sourceCount == 1)
    }
}
