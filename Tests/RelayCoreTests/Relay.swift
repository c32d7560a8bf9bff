import DERP
import NetTypes
import RelayCore

/// A reproducible generator (SplitMix64, Steele et al. 2014).
struct SeededRandom: RandomNumberGenerator {
    var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

func nodeKey(_ number: Int) -> NodeKey {
    NodeKey(
        Bytes32([UInt8](repeating: 0, count: 28) + (0..<4).map { UInt8(number >> (8 * $0) & 255) }))
}

/// A core whose payloads are numbers, on a clock that the test moves.
struct Relay: ~Copyable {
    enum Output: Equatable {
        case message(ServerMessage)
        case packet(NodeKey, Int)
        case forward(NodeKey, NodeKey, Int)
    }

    var core: RelayCore<Int>
    var now = MonotonicInstant(nanoseconds: 1_000_000_000_000)

    init(_ change: (inout RelayConfiguration) -> Void = { _ in }) {
        var configuration = RelayConfiguration()
        change(&configuration)
        core = RelayCore(configuration: configuration)
    }

    mutating func connect(_ number: Int, as role: ConnectionRole = .client) -> ConnectionID {
        do {
            return try core.connect(nodeKey(number), as: role, at: now)
        } catch {
            fatalError("\(error)")
        }
    }

    mutating func send(
        _ from: ConnectionID, to number: Int, _ payload: Int = 0, byteCount: Int = 1_000,
        isDisco: Bool = false
    ) {
        core.handlePacket(
            from: from, to: nodeKey(number), payload, byteCount: byteCount, isDisco: isDisco,
            at: now)
    }

    /// Everything that waits for a connection, at most `limit` frames.
    mutating func receive(_ id: ConnectionID, limit: Int = .max) -> [Output] {
        var outputs: [Output] = []
        while outputs.count < limit, let next = core.pollTransmit(for: id, at: now) {
            switch next {
            case .message(let message): outputs.append(.message(message))
            case .packet(let source, let payload): outputs.append(.packet(source, payload))
            case .forward(let source, let destination, let payload):
                outputs.append(.forward(source, destination, payload))
            }
        }
        return outputs
    }

    mutating func advance(_ time: Nanoseconds) {
        let end = now + time
        while let deadline = core.nextDeadline, deadline <= end {
            now = max(now, deadline)
            core.handleTimeout(at: now)
        }
        now = end
    }

    mutating func events() -> [RelayCore<Int>.Event] {
        var events: [RelayCore<Int>.Event] = []
        while let event = core.pollEvent() { events.append(event) }
        return events
    }
}
