internal import CryptoPrimitives
internal import NetTypes

extension UAPI {
    /// Whether `bytes` hold a whole request: they end in an empty line.
    package static func isComplete(_ bytes: RawSpan) -> Bool {
        let count = bytes.byteCount
        let newline = UInt8(ascii: "\n")
        return count >= 2 && bytes.byte(at: count - 1) == newline
            && bytes.byte(at: count - 2) == newline
    }

    /// Parses one request, its empty line included.
    package static func parse(_ bytes: RawSpan) throws(ParseError) -> Request {
        guard isComplete(bytes), bytes.byteCount <= maximumRequestByteCount else {
            throw .malformed
        }
        let text = String(decoding: bytes.array, as: UTF8.self)
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast(2)
        guard let operation = lines.popFirst() else { throw .malformed }
        switch operation {
        case "get=1":
            guard lines.isEmpty else { throw .malformed }
            return .get
        case "set=1":
            var parser = ChangeParser()
            for line in lines { try parser.take(line) }
            return .set(parser.change)
        default: throw .malformed
        }
    }
}

/// Takes the lines of a `set` request in order: a `public_key` begins a peer.
private struct ChangeParser {
    private(set) var change = UAPI.Change()

    mutating func take(_ line: Substring) throws(UAPI.ParseError) {
        guard let equals = line.firstIndex(of: "=") else { throw .malformed }
        let key = line[..<equals]
        let value = line[line.index(after: equals)...]
        if key == "public_key" {
            let publicKey = try Self.required(Self.bytes(value), key)
            change.peers.append(UAPI.PeerChange(publicKey: NodeKey(Bytes32(publicKey))))
        } else if change.peers.isEmpty {
            try takeDevice(key, value)
        } else {
            try takePeer(key, value, of: change.peers.count - 1)
        }
    }

    private mutating func takeDevice(
        _ key: Substring, _ value: Substring
    ) throws(UAPI.ParseError) {
        switch key {
        case "private_key": change.privateKey = try Self.required(Self.keyChange(value), key)
        case "listen_port": change.listenPort = try Self.required(Self.number(value), key)
        case "fwmark": change.firewallMark = try Self.required(Self.number(value), key)
        case "replace_peers": change.replacesPeers = try Self.flag(value, key)
        default: throw .unknownKey(Self.shown(key))
        }
    }

    private mutating func takePeer(
        _ key: Substring, _ value: Substring, of index: Int
    ) throws(UAPI.ParseError) {
        switch key {
        case "update_only": change.peers[index].updatesOnly = try Self.flag(value, key)
        case "remove": change.peers[index].removes = try Self.flag(value, key)
        case "preshared_key":
            change.peers[index].presharedKey = try Self.required(Self.keyChange(value), key)
        case "endpoint":
            change.peers[index].endpoint = try Self.required(Endpoint(value), key)
        case "persistent_keepalive_interval":
            let seconds: UInt16 = try Self.required(Self.number(value), key)
            change.peers[index].persistentKeepalive = .seconds(Int64(seconds))
        case "replace_allowed_ips":
            change.peers[index].replacesAllowedIPs = try Self.flag(value, key)
        case "allowed_ip":
            if value.hasPrefix("-") {
                let prefix = try Self.required(IPPrefix(value.dropFirst()), key)
                change.peers[index].removedIPs.append(prefix.masked)
            } else {
                let prefix = try Self.required(IPPrefix(value), key)
                change.peers[index].addedIPs.append(prefix.masked)
            }
        case "protocol_version":
            guard value == "1" else { throw .invalidValue(key: Self.shown(key)) }
        default: throw .unknownKey(Self.shown(key))
        }
    }

    private static func required<Value>(
        _ value: Value?, _ key: Substring
    ) throws(UAPI.ParseError) -> Value {
        guard let value else { throw .invalidValue(key: shown(key)) }
        return value
    }

    private static func flag(
        _ value: Substring, _ key: Substring
    ) throws(UAPI.ParseError) -> Bool {
        guard value == "true" else { throw .invalidValue(key: shown(key)) }
        return true
    }

    private static func bytes(_ value: Substring) -> [UInt8]? {
        guard let bytes = Hexadecimal.decode(value), bytes.count == 32 else { return nil }
        return bytes
    }

    /// All zero removes a key.
    private static func keyChange(_ value: Substring) -> UAPI.KeyChange? {
        guard var bytes = bytes(value) else { return nil }
        defer { wipe(&bytes) }
        if Bytes32(bytes).isZero { return .remove }
        return unsafe .set(SecretBytes(copying: bytes.span.bytes))
    }

    /// Decimal digits only, no sign.
    private static func number<Value: FixedWidthInteger>(_ value: Substring) -> Value? {
        guard !value.isEmpty, value.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Value(value)
    }

    /// A key fit to be shown: it may be anything.
    private static func shown(_ key: Substring) -> String {
        key.unicodeScalars.prefix(40).map { $0.escaped(asASCII: true) }.joined()
    }
}
