import NetTypes
import SimulatedNetwork

/// The stand-in for WireGuard between a node and one peer: messages of the right types and sizes in
/// the right order, without cryptography. An initiation is answered by a response where it came
/// from, and both sides are then set up; what waited follows. One without answer is repeated every
/// five seconds. There are no new keys after two minutes and no cookies.
struct Session {
    enum Phase { case none, initiating, established }
    var phase = Phase.none
    /// Packets that wait for the session: their flags.
    var waiting: [Bool] = []

    static var waitingMax: Int { 128 }
    static var retryInterval: Nanoseconds { .seconds(5) }
}

/// A message of the tunnel on the wire: type, sender and number where they stand in WireGuard's.
struct TunnelMessage {
    enum Kind: UInt8 { case initiation = 1, response = 2, data = 4 }
    var kind: Kind
    var sender: Int
    var isReply = false
    var number: UInt32 = 0

    static var initiationByteCount: Int { 148 }
    static var responseByteCount: Int { 92 }

    init(_ kind: Kind, from sender: Int, isReply: Bool = false, number: UInt32 = 0) {
        self.kind = kind
        self.sender = sender
        self.isReply = isReply
        self.number = number
    }

    init?(_ payload: [UInt8]) {
        guard payload.count >= 12, let kind = Kind(rawValue: payload[0]) else { return nil }
        self.kind = kind
        sender = Int(payload[4]) | Int(payload[5]) << 8
        isReply = payload[6] == 1
        number = payload[8..<12].reduce(0) { $0 << 8 | UInt32($1) }
    }

    func encoded(byteCount: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: max(byteCount, 12))
        bytes[0] = kind.rawValue
        bytes[4] = UInt8(truncatingIfNeeded: sender)
        bytes[5] = UInt8(truncatingIfNeeded: sender >> 8)
        bytes[6] = isReply ? 1 : 0
        for index in 0..<4 {
            bytes[8 + index] = UInt8(truncatingIfNeeded: number >> (24 - 8 * index))
        }
        return bytes
    }
}
