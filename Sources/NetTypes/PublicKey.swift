/// Thirty-two bytes held in registers: keys, hashes.
@frozen
public struct Bytes32: Hashable, Sendable, BitwiseCopyable {
    @usableFromInline var words: (UInt64, UInt64, UInt64, UInt64)

    @inlinable public init() { words = (0, 0, 0, 0) }

    /// Traps unless `bytes` has 32 of them.
    @inlinable public init(_ bytes: some Collection<UInt8>) {
        precondition(bytes.count == 32, "expected 32 bytes")
        self.init()
        unsafe withUnsafeMutableBytes(of: &words) { unsafe $0.copyBytes(from: bytes) }
    }
    /// Traps unless `bytes` has 32 of them.
    @inlinable public init(_ bytes: RawSpan) {
        precondition(bytes.byteCount == 32, "expected 32 bytes")
        self.init()
        unsafe bytes.withUnsafeBytes { source in
            unsafe withUnsafeMutableBytes(of: &words) { unsafe $0.copyMemory(from: source) }
        }
    }

    @inlinable public static func == (left: Self, right: Self) -> Bool {
        // Without early exit: secrets are compared through this too.
        (left.words.0 ^ right.words.0) | (left.words.1 ^ right.words.1)
            | (left.words.2 ^ right.words.2) | (left.words.3 ^ right.words.3) == 0
    }
    @inlinable public func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
        hasher.combine(words.2)
        hasher.combine(words.3)
    }

    @inlinable public var isZero: Bool { self == Self() }
    public var array: [UInt8] {
        unsafe withUnsafeBytes(of: words) { unsafe Array($0) }
    }
    /// Calls `body` with the 32 bytes.
    @inlinable public func withBytes<Result, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var copy = words
        return try unsafe withUnsafeBytes(of: &copy) { (buffer) throws(Failure) in
            try unsafe body(RawSpan(_unsafeBytes: buffer))
        }
    }
}

/// What a key is for. The prefix of its text form keeps the kinds apart (control protocol, "Keys
/// and text encodings").
public protocol KeyKind: Sendable {
    static var textPrefix: String { get }
}
public enum MachineKind: KeyKind { public static var textPrefix: String { "mkey:" } }
public enum NodeKind: KeyKind { public static var textPrefix: String { "nodekey:" } }
public enum DiscoKind: KeyKind { public static var textPrefix: String { "discokey:" } }
public enum ChallengeKind: KeyKind { public static var textPrefix: String { "chalpub:" } }
public enum NetworkLockKind: KeyKind { public static var textPrefix: String { "nlpub:" } }

/// Identifies a device to the coordination server; the static key of the control channel's Noise.
public typealias MachineKey = PublicKey<MachineKind>
/// A node's WireGuard public key.
public typealias NodeKey = PublicKey<NodeKind>
/// Seals path-finding messages; new at each start of a node.
public typealias DiscoKey = PublicKey<DiscoKind>
public typealias ChallengeKey = PublicKey<ChallengeKind>
public typealias NetworkLockKey = PublicKey<NetworkLockKind>

/// A 32-byte public key of one kind.
@frozen
public struct PublicKey<Kind: KeyKind>: Hashable, Sendable {
    public var bytes: Bytes32

    @inlinable public init(_ bytes: Bytes32) { self.bytes = bytes }
    /// All zero: "no key" in fields that are always sent.
    @inlinable public static var zero: Self { Self(Bytes32()) }
    @inlinable public var isZero: Bool { bytes.isZero }
}

extension PublicKey: CustomStringConvertible, LosslessStringConvertible, Comparable {
    public var description: String { Kind.textPrefix + Hexadecimal.encode(bytes.array) }

    /// The prefix of the kind and 64 hexadecimal digits of either case; nothing else.
    public init?(_ text: String) {
        guard text.hasPrefix(Kind.textPrefix),
            let bytes = Hexadecimal.decode(text.dropFirst(Kind.textPrefix.count)), bytes.count == 32
        else { return nil }
        self.init(Bytes32(bytes))
    }

    /// The first sixteen digits: enough for a log line.
    public var shortText: String { Kind.textPrefix + Hexadecimal.encode(bytes.array.prefix(8)) }

    /// The order of the bytes, for output that must not depend on hashing.
    public static func < (left: Self, right: Self) -> Bool {
        left.bytes.array.lexicographicallyPrecedes(right.bytes.array)
    }
}
