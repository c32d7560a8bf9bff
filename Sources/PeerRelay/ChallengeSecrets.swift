internal import CryptoPrimitives
internal import Disco
internal import NetTypes

/// Makes challenges that need not be remembered: a keyed hash of what is to be bound and of the
/// address to bind it to. Whoever returns one receives packets at that address.
///
/// The key is replaced every two minutes and the one before it still counts, so that a challenge is
/// good for two to four minutes.
struct ChallengeSecrets {
    static var rotationInterval: Nanoseconds { .minutes(2) }

    private var current: Bytes32
    private var previous: Bytes32?
    private var rotateAt: MonotonicInstant?

    init(random: inout some RandomNumberGenerator) { current = Bytes32(random.bytes(count: 32)) }

    /// Replaces the key when it is due, twice if nobody asked for long.
    mutating func rotate(at now: MonotonicInstant, random: inout some RandomNumberGenerator) {
        guard let due = rotateAt else {
            rotateAt = now + Self.rotationInterval
            return
        }
        guard now >= due else { return }
        let late = (now - due).count / Self.rotationInterval.count
        previous = late == 0 ? current : nil
        current = Bytes32(random.bytes(count: 32))
        rotateAt = due + Self.rotationInterval * (late + 1)
    }

    func challenge(
        _ binding: DiscoMessage.RelayBinding, client: DiscoKey, from source: Endpoint
    ) -> Bytes32 {
        Self.challenge(current, binding, client: client, from: source)
    }

    /// Whether `binding.challenge` was made for the rest of it.
    func accepts(
        _ binding: DiscoMessage.RelayBinding, client: DiscoKey, from source: Endpoint
    ) -> Bool {
        let keys = [current] + (previous.map { [$0] } ?? [])
        return keys.contains { key in
            Self.challenge(key, binding, client: client, from: source) == binding.challenge
        }
    }

    private static func challenge(
        _ key: Bytes32, _ binding: DiscoMessage.RelayBinding, client: DiscoKey,
        from source: Endpoint
    ) -> Bytes32 {
        var message: [UInt8] = []
        message.reserveCapacity(90)
        message.appendBigEndian(binding.virtualNetwork)
        message.appendBigEndian(binding.generation)
        message.append(binding.remote.bytes)
        message.append(client.bytes)
        message.append(source)
        return key.withBytes { key in unsafe BLAKE2s.mac32(key: key, message.span.bytes) }
    }
}
