import Coordination
import CryptoPrimitives
import NetTypes

/// Challenges for authenticators: each belongs to one browser and one purpose, is good for some minutes and
/// once.
///
/// None is kept when it is made, so asking for pages by the thousand costs nothing: a keyed hash in the
/// challenge shows that it is ours. Only those that were used are remembered until they are too old.
struct PasskeyChallenges: Sendable {
    enum Use {
        /// A passkey in place of everything else.
        case signIn
        /// For this sign-in, a passkey as its second factor or a new one.
        case attempt(AttemptID)
        /// A new passkey for whoever is signed in.
        case session(SessionID)

        fileprivate var text: String {
            switch self {
            case .signIn: "sign-in"
            case .attempt(let id): "attempt \(id.text)"
            case .session(let id): "session \(id.text)"
            }
        }
    }

    private static var nonceCount: Int { 16 }
    private static var timeCount: Int { 8 }
    private static var macCount: Int { 32 }
    /// More sign-ins by passkey than this within one lifetime have to wait.
    private static var capacity: Int { 8192 }

    private let lifetime: Nanoseconds
    /// Times in challenges count from here, so that none says how long the machine has been up.
    private let origin: MonotonicInstant
    /// Of this run of the server: what was used before it began need not be remembered.
    private var key: [UInt8] = []
    private var spent: Set<[UInt8]> = []
    /// The oldest first.
    private var order: [(challenge: [UInt8], end: MonotonicInstant)] = []

    init(lifetime: Nanoseconds, at now: MonotonicInstant) {
        self.lifetime = lifetime
        origin = now
    }

    mutating func make(
        for use: Use, _ visitor: Visitor, at now: MonotonicInstant,
        random: inout some RandomNumberGenerator
    ) -> [UInt8] {
        if key.isEmpty { key = random.bytes(count: 32) }
        let time = UInt64(bitPattern: (now - origin).count)
        let head =
            random.bytes(count: Self.nonceCount)
            + (0..<8).map { UInt8(truncatingIfNeeded: time >> (56 - 8 * UInt64($0))) }
        return head + mac(of: head, use, visitor)
    }

    private func mac(of head: [UInt8], _ use: Use, _ visitor: Visitor) -> [UInt8] {
        let message = head + visitor.browser.hash.array + Array(use.text.utf8)
        return unsafe BLAKE2s.mac32(key: key.span.bytes, message.span.bytes).array
    }

    /// Whether a challenge was made for this and was not used yet.
    func isGood(
        _ challenge: [UInt8], for use: Use, _ visitor: Visitor, at now: MonotonicInstant
    ) -> Bool {
        let headCount = Self.nonceCount + Self.timeCount
        guard !key.isEmpty, challenge.count == headCount + Self.macCount else { return false }
        let head = Array(challenge[..<headCount])
        let expected = mac(of: head, use, visitor)
        let found = Array(challenge[headCount...])
        guard unsafe constantTimeEqual(found.span.bytes, expected.span.bytes) else { return false }
        let age = now - made(challenge)
        return age >= .zero && age < lifetime && !spent.contains(challenge)
    }

    private func made(_ challenge: [UInt8]) -> MonotonicInstant {
        let time = challenge[Self.nonceCount...].prefix(Self.timeCount)
            .reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return origin + Nanoseconds(count: Int64(bitPattern: time))
    }

    /// Uses up a good challenge. False when too many were used of late.
    mutating func spend(_ challenge: [UInt8], at now: MonotonicInstant) -> Bool {
        let over = order.prefix { $0.end <= now }
        for entry in over { spent.remove(entry.challenge) }
        order.removeFirst(over.count)
        guard order.count < Self.capacity else { return false }
        spent.insert(challenge)
        order.append((challenge, now + lifetime))
        return true
    }
}
