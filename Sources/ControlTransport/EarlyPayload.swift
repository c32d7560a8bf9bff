internal import CryptoPrimitives
internal import NIOCore
package import NetTypes

/// What a server sends in front of HTTP/2: a mark, a length, JSON with a challenge key that
/// nothing answers (control protocol, "Early payload").
package enum EarlyPayload {
    /// An HTTP/2 frame of that length and type never opens a connection.
    static let mark: [UInt8] = [0xFF, 0xFF, 0xFF, 0x54, 0x53]
    /// As long as the header of an HTTP/2 frame.
    static let headerByteCount = 9
    /// The first capability version whose clients expect it.
    package static let firstVersion: UInt16 = 49
    static let limit = 1 << 20

    package static func encode(challenge: ChallengeKey) -> [UInt8] {
        let text = Array("{\"nodeKeyChallenge\":\"\(challenge)\"}".utf8)
        var bytes = mark
        bytes.appendBigEndian(UInt32(text.count))
        return bytes + text
    }

    /// Takes the payload, if there is one, out of the front of a stream.
    struct Remover {
        private enum Phase {
            case undecided
            case skipping(Int)
            case done
        }
        private var phase = Phase.undecided
        private var held = ByteBuffer()

        /// The bytes of `input` that belong to the stream proper, with those held back before.
        mutating func remove(from input: ByteBuffer) throws(ControlTransportError) -> ByteBuffer {
            if case .done = phase { return input }
            var input = input
            held.writeBuffer(&input)
            if case .undecided = phase {
                guard held.readableBytes >= EarlyPayload.headerByteCount else {
                    return ByteBuffer()
                }
                if held.readableBytesView.starts(with: EarlyPayload.mark) {
                    held.moveReaderIndex(forwardBy: EarlyPayload.mark.count)
                    let length = Int(held.readInteger(as: UInt32.self) ?? 0)
                    guard length <= EarlyPayload.limit else {
                        throw .earlyPayloadTooLarge(length)
                    }
                    phase = .skipping(length)
                } else {
                    phase = .done
                }
            }
            if case .skipping(let left) = phase {
                let count = min(left, held.readableBytes)
                held.moveReaderIndex(forwardBy: count)
                held.discardReadBytes()
                phase = count == left ? .done : .skipping(left - count)
            }
            guard case .done = phase else { return ByteBuffer() }
            defer { held = ByteBuffer() }
            return held
        }
    }
}
