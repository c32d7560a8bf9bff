internal import NetTypes

/// The HTTP request that turns a connection into one of DERP (data-protocol §4.1).
package struct UpgradeRequest: Sendable {
    /// Value of the `Host` header.
    package var host: String
    /// The name of the region's node that was dialled, when it is not the first.
    package var idealNode: String?
    /// The relay shall not answer but begin with DERP at once: its key is known.
    package var isFastStart = false
    /// The `Sec-WebSocket-Key` of a request for a WebSocket (RFC 6455) that carries DERP.
    package var webSocketKey: String?

    package init(host: String, idealNode: String? = nil) {
        self.host = host
        self.idealNode = idealNode
    }

    /// The request head on the wire.
    package var bytes: [UInt8] {
        var text = "GET /derp HTTP/1.1\r\nHost: \(host)\r\nUser-Agent: skein\r\n"
        if let idealNode { text += "Ideal-Node: \(idealNode)\r\n" }
        if isFastStart { text += "Derp-Fast-Start: 1\r\n" }
        text += "Connection: Upgrade\r\n"
        if let webSocketKey {
            text += "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            text += "Sec-WebSocket-Key: \(webSocketKey)\r\nSec-WebSocket-Protocol: derp\r\n\r\n"
        } else {
            text += "Upgrade: DERP\r\n\r\n"
        }
        return Array(text.utf8)
    }
}

/// The headers of the answer `101 Switching Protocols`.
package func upgradeResponseHeaders(key: RelayKey) -> [(name: String, value: String)] {
    [
        ("Upgrade", "DERP"), ("Connection", "Upgrade"),
        ("Derp-Version", String(derpProtocolVersion)),
        ("Derp-Public-Key", Hexadecimal.encode(key.bytes.array)),
    ]
}

/// What a connection is to be turned into.
package enum UpgradeProtocol: String, Sendable {
    case derp
    case webSocket = "websocket"
}

/// Reads the head of the answer to an upgrade request, byte by byte as it arrives.
///
/// Bounded by `headByteCountMax`. What follows the head belongs to DERP and is left alone.
package struct UpgradeResponseParser: Sendable {
    package enum Failure: Error, Hashable, Sendable {
        /// The other side does not answer in HTTP/1.
        case notHTTP
        case headTooLong(limit: Int)
        /// An HTTP answer, but not an upgrade: a proxy, a captive portal or another web server.
        case refused(status: Int, reason: String)
        /// An upgrade to something else.
        case wrongProtocol(String)
    }

    package static var headByteCountMax: Int { 16 << 10 }
    private var head: [UInt8] = []
    private var isComplete = false
    private let wanted: UpgradeProtocol
    /// `Sec-WebSocket-Accept` of the answer; empty when it has none.
    package private(set) var webSocketAccept = ""

    package init(for wanted: UpgradeProtocol = .derp) { self.wanted = wanted }

    /// Consumes from `chunk` at `offset`. True when the head is complete and right; the first byte
    /// of DERP is then at `offset`.
    package mutating func read(
        _ chunk: RawSpan, from offset: inout Int
    ) throws(Failure) -> Bool {
        while offset < chunk.byteCount, !isComplete {
            guard head.count < Self.headByteCountMax else {
                throw .headTooLong(limit: Self.headByteCountMax)
            }
            let byte = chunk.byte(at: offset)
            offset += 1
            head.append(byte)
            // Ends early on what cannot be HTTP, instead of waiting for a line that never ends.
            if head.count <= 5, byte != Array("HTTP/".utf8)[head.count - 1] { throw .notHTTP }
            if byte == UInt8(ascii: "\n"), endsWithEmptyLine {
                isComplete = true
                try check()
            }
        }
        return isComplete
    }

    private var endsWithEmptyLine: Bool {
        head.suffix(4) == [0x0D, 0x0A, 0x0D, 0x0A] || head.suffix(2) == [0x0A, 0x0A]
    }

    private mutating func check() throws(Failure) {
        let lines = head.split(separator: 0x0A).map { line in
            line.last == 0x0D ? line.dropLast() : line
        }
        let words = (lines.first ?? []).split(separator: 0x20, maxSplits: 2)
        guard words.count >= 2, words[1].count == 3,
            let status = Int(String(decoding: words[1], as: UTF8.self))
        else { throw .notHTTP }
        guard status == 101 else {
            let reason = words.count > 2 ? Self.printable(words[2]) : ""
            throw .refused(status: status, reason: reason)
        }
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { continue }
            let name = Self.printable(line[..<colon]).lowercased()
            guard ["upgrade", "sec-websocket-accept"].contains(name) else { continue }
            let value = Self.printable(line[line.index(after: colon)...]).filter { $0 != " " }
            if name != "upgrade" {
                webSocketAccept = value
            } else if value.lowercased() != wanted.rawValue {
                throw .wrongProtocol(value)
            }
        }
    }

    /// At most 80 characters, without control characters: the text reaches logs and terminals.
    private static func printable(_ bytes: some Collection<UInt8>) -> String {
        String(decoding: bytes.prefix(80).filter { (0x20...0x7E).contains($0) }, as: UTF8.self)
    }
}

extension UpgradeResponseParser.Failure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .notHTTP: "the relay did not answer in HTTP; is another service on this port?"
        case .headTooLong(let limit): "the answer to the upgrade is longer than \(limit) bytes"
        case .refused(let status, let reason):
            "the upgrade to DERP was answered with \(status) \(reason); "
                + "a proxy or another web server may be in between"
        case .wrongProtocol(let name): "the relay switched to \(name) instead of DERP"
        }
    }
}
