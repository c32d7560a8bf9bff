import NetTypes

/// The requests of a UPnP control point. Each is on a connection of its own.
package enum HTTPRequest {
    package static func get(_ location: HTTPLocation) -> [UInt8] {
        Array(
            """
            GET \(location.path) HTTP/1.1\r
            Host: \(Endpoint(location.host, port: location.port))\r
            Connection: close\r
            \r\n
            """.utf8)
    }

    /// Calls `action` of the service of type `service` with a SOAP envelope.
    package static func post(
        _ location: HTTPLocation, service: String, action: String, body: String
    ) -> [UInt8] {
        Array(
            """
            POST \(location.path) HTTP/1.1\r
            Host: \(Endpoint(location.host, port: location.port))\r
            Content-Type: text/xml; charset="utf-8"\r
            SOAPAction: "\(service)#\(action)"\r
            Content-Length: \(body.utf8.count)\r
            Connection: close\r
            \r
            \(body)
            """.utf8)
    }
}

/// Collects the response to one request, never more than `maximumByteCount`.
package struct HTTPResponseReader: Sendable {
    package static var maximumByteCount: Int { 64 << 10 }
    static var headByteCountMax: Int { 8 << 10 }

    package enum Progress: Equatable, Sendable {
        case incomplete
        case complete(HTTPResponse)
        case malformed
    }

    private var bytes: [UInt8] = []
    /// Where the search for the end of the head goes on.
    private var searched = 0
    private var head: Head?

    private struct Head {
        var status: Int
        var byteCount: Int
        var contentLength: Int?
        var isChunked = false
    }

    package init() {}

    /// Takes bytes as they arrive. Call it again after `.incomplete` only.
    package mutating func append(_ more: RawSpan) -> Progress {
        guard bytes.count + more.byteCount <= Self.maximumByteCount else { return .malformed }
        bytes += more.array
        if head == nil {
            guard let end = endOfHead() else {
                return bytes.count > Self.headByteCountMax ? .malformed : .incomplete
            }
            guard let parsed = Self.parse(bytes[..<end], byteCount: end) else { return .malformed }
            head = parsed
        }
        guard let head else { return .incomplete }
        if head.isChunked {
            // The last chunk ends like this; where it does not in the end, the body is malformed.
            guard bytes.suffix(5) == [0x30, 13, 10, 13, 10] else { return .incomplete }
            return finish()
        }
        guard let length = head.contentLength else { return .incomplete }
        return bytes.count - head.byteCount >= length ? finish() : .incomplete
    }

    /// The other side closed the connection.
    package mutating func finish() -> Progress {
        guard let head else { return .malformed }
        var body = Array(bytes[head.byteCount...])
        if head.isChunked {
            guard let joined = Self.join(body) else { return .malformed }
            body = joined
        } else if let length = head.contentLength {
            guard body.count >= length else { return .malformed }
            body.removeLast(body.count - length)
        }
        return .complete(HTTPResponse(status: head.status, body: body))
    }

    private mutating func endOfHead() -> Int? {
        var index = searched
        while index + 4 <= bytes.count {
            if bytes[index] == 13, bytes[index + 1] == 10, bytes[index + 2] == 13,
                bytes[index + 3] == 10
            {
                return index + 4
            }
            index += 1
        }
        searched = index
        return nil
    }

    private static func parse(_ bytes: ArraySlice<UInt8>, byteCount: Int) -> Head? {
        let lines = HTTPHead.lines(Array(bytes))
        guard let first = lines.first, let status = HTTPHead.status(first) else { return nil }
        var head = Head(status: status, byteCount: byteCount)
        for line in lines.dropFirst() {
            guard let (name, value) = HTTPHead.field(line) else { continue }
            switch name {
            case "content-length":
                guard let length = Int(value), (0...maximumByteCount).contains(length) else {
                    return nil
                }
                head.contentLength = length
            case "transfer-encoding":
                guard value.lowercased() == "chunked" else { return nil }
                head.isChunked = true
            default: continue
            }
        }
        return head
    }

    /// The contents of all chunks (RFC 9112 §7.1).
    private static func join(_ body: [UInt8]) -> [UInt8]? {
        var result: [UInt8] = []
        var index = 0
        while index < body.count {
            guard let end = body[index...].firstIndex(of: 13), end - index <= 16 else {
                return nil
            }
            let digits = String(decoding: body[index..<end], as: UTF8.self).prefix { $0 != ";" }
            guard let count = Int(digits, radix: 16), count >= 0 else { return nil }
            if count == 0 { return result }
            let start = end + 2
            guard count <= body.count, start + count + 2 <= body.count else { return nil }
            result += body[start..<start + count]
            index = start + count + 2
        }
        return nil
    }
}

package struct HTTPResponse: Equatable, Sendable {
    package var status: Int
    package var body: [UInt8]

    package init(status: Int, body: [UInt8]) {
        self.status = status
        self.body = body
    }
}

/// The lines that HTTP and SSDP share.
enum HTTPHead {
    static var lineCountMax: Int { 64 }

    static func lines(_ bytes: [UInt8]) -> [String] {
        bytes.split(separator: 10, maxSplits: lineCountMax).prefix(lineCountMax).map { line in
            String(decoding: line.last == 13 ? line.dropLast() : line, as: UTF8.self)
        }
    }

    /// The status of `HTTP/1.x NNN …`.
    static func status(_ line: String) -> Int? {
        let parts = line.split(separator: " ", maxSplits: 2)
        guard parts.count >= 2, parts[0] == "HTTP/1.1" || parts[0] == "HTTP/1.0",
            parts[1].utf8.count == 3, let status = Int(parts[1]), status >= 100
        else { return nil }
        return status
    }

    /// Name in lower case, and value.
    static func field(_ line: String) -> (name: String, value: String)? {
        guard let colon = line.firstIndex(of: ":") else { return nil }
        let value = line[line.index(after: colon)...]
        return (line[..<colon].lowercased(), trimmed(value))
    }

    static func trimmed(_ text: Substring) -> String {
        var text = text
        while let first = text.first, first.isWhitespace { text.removeFirst() }
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text)
    }
}
