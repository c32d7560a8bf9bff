internal import CryptoPrimitives
package import NetTypes

/// Names a sign-in under way: 128 random bits as 32 digits.
package struct AttemptID: Hashable, Sendable, CustomStringConvertible {
    package var text: String
    package init(_ text: String) { self.text = text }
    init(random: inout some RandomNumberGenerator) {
        text = Hexadecimal.encode(random.bytes(count: 16))
    }
    package var description: String { text }
}

/// What is under way in browsers, for a short time: each entry belongs to the browser that began it
/// and is of no use in another.
///
/// Bounded: a browser has so many, and in all there are so many; the oldest makes room.
package struct AttemptTable<Value: Sendable>: Sendable {
    private struct Entry {
        var browser: BrowserID
        var created: MonotonicInstant
        var value: Value
    }

    package let capacity: Int
    package let perBrowser: Int
    package let lifetime: Nanoseconds
    private var entries: [AttemptID: Entry] = [:]
    /// Oldest first.
    private var order: [AttemptID] = []

    package init(capacity: Int, perBrowser: Int = 8, lifetime: Nanoseconds) {
        self.capacity = capacity
        self.perBrowser = perBrowser
        self.lifetime = lifetime
    }

    package var count: Int { order.count }

    package mutating func add(
        _ value: Value, of browser: BrowserID, at now: MonotonicInstant,
        random: inout some RandomNumberGenerator
    ) -> AttemptID {
        expire(at: now)
        let own = order.filter { entries[$0]?.browser == browser }
        if own.count >= perBrowser, let oldest = own.first {
            remove(oldest)
        } else if order.count >= capacity, let oldest = order.first {
            remove(oldest)
        }
        let id = AttemptID(random: &random)
        entries[id] = Entry(browser: browser, created: now, value: value)
        order.append(id)
        return id
    }

    /// Nil when there is none, it is too old, or another browser began it.
    package func value(
        _ id: AttemptID, of browser: BrowserID, at now: MonotonicInstant
    ) -> Value? {
        guard let entry = entries[id], entry.browser == browser, now - entry.created < lifetime
        else { return nil }
        return entry.value
    }

    /// As `value`, for an answer that a browser brings without its cookies: whose entry it is, so that what
    /// follows can be kept for that browser.
    package func entry(
        _ id: AttemptID, at now: MonotonicInstant
    ) -> (value: Value, browser: BrowserID)? {
        guard let entry = entries[id], now - entry.created < lifetime else { return nil }
        return (entry.value, entry.browser)
    }

    package mutating func update(_ id: AttemptID, _ value: Value) { entries[id]?.value = value }

    package mutating func remove(_ id: AttemptID) {
        guard entries.removeValue(forKey: id) != nil else { return }
        order.removeAll { $0 == id }
    }

    /// Takes an entry out: it can be used once.
    package mutating func take(
        _ id: AttemptID, of browser: BrowserID, at now: MonotonicInstant
    ) -> Value? {
        guard let value = value(id, of: browser, at: now) else { return nil }
        remove(id)
        return value
    }

    private mutating func expire(at now: MonotonicInstant) {
        let old = order.prefix { id in
            entries[id].map { now - $0.created >= lifetime } ?? true
        }
        for id in old { entries[id] = nil }
        order.removeFirst(old.count)
    }
}
