import ControlMessages
import NetReport
import NetTypes

/// How long the NAT of a network keeps mappings, and when that was learned.
struct StoredLifetime: Equatable, Sendable {
    var learned: LearnedLifetime
    var at: Timestamp

    /// A router is replaced, or its address given to another house, now and then.
    static var ageMax: Nanoseconds { .minutes(30 * 24 * 60) }
}

extension StoredLifetime: JSONReadable, JSONWritable {
    init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        let text: String = try object.read("Address", or: "")
        guard let address = IPAddress(text) else {
            throw MessageDecodingError(path: "Address", .unreadable(expected: "an address"))
        }
        let seconds: Int? = try object.optional("Seconds")
        learned = LearnedLifetime(
            address: address,
            // Bounded, so that no number in the file overflows.
            safeGap: seconds.map { .seconds(Int64(min(max($0, 0), 86_400))) },
            disproofs: try object.read("Disproofs", or: 0))
        at = Timestamp(unixSeconds: try object.read("LearnedAt", or: 0))
    }

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("Address", "\(learned.address)")
            writer.omit("Seconds", learned.safeGap.map { Int($0.count / 1_000_000_000) })
            writer.omit("Disproofs", learned.disproofs)
            writer.keep("LearnedAt", at.unixSeconds)
        }
    }
}

extension StoredState {
    /// What is not too old.
    func lifetimes(at now: Timestamp) -> [LearnedLifetime] {
        networks.filter { now < $0.at + StoredLifetime.ageMax }.map(\.learned)
    }

    /// Keeps these instead of those known, and of those that are the same the time.
    mutating func note(_ lifetimes: [LearnedLifetime], at now: Timestamp) {
        let known = networks
        networks = lifetimes.suffix(LearnedLifetime.networksMax).map { learned in
            known.first { $0.learned == learned && now < $0.at + StoredLifetime.ageMax }
                ?? StoredLifetime(learned: learned, at: now)
        }
    }
}
