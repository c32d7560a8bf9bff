import CryptoPrimitives
import NetTypes

func bytes(_ hex: String) -> [UInt8] { Hexadecimal.decode(hex.filter { !$0.isWhitespace })! }

func nodeKey(seed: UInt64) -> PrivateKey<NodeKind> {
    var random = SeededRandom(seed: seed)
    return PrivateKey(SecretBytes(copying: random.bytes(count: 32).span.bytes))
}

func storedNodeKey(_ digits: String) -> PrivateKey<NodeKind> {
    PrivateKey(text: "privkey:" + digits)!
}

func prefix(_ text: String) -> IPPrefix { IPPrefix(text)! }
