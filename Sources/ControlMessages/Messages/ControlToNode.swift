/// A request that the server makes of a node ("c2n", control protocol §5.9): HTTP/1 text in the
/// payload of a `PingRequest`.
package struct ControlToNodeRequest: Equatable, Sendable {
    package enum ParseError: Error, Equatable {
        /// The head does not end within `headLimit` bytes.
        case noHead
        case malformedRequestLine
    }

    package static var headLimit: Int { 16 << 10 }

    package var method: String
    /// Without the query.
    package var path: String
    package var body: [UInt8]

    package init(method: String, path: String, body: [UInt8] = []) {
        self.method = method
        self.path = path
        self.body = body
    }

    /// Reads request line and headers; everything behind them is the body. The headers say nothing
    /// that the answers depend on.
    package init(parsing bytes: [UInt8]) throws(ParseError) {
        let head = bytes.prefix(Self.headLimit)
        guard let end = Self.endOfHead(head) else { throw .noHead }
        let line = head.prefix { $0 != 0x0D && $0 != 0x0A }
        let words = line.split(separator: 0x20, omittingEmptySubsequences: false)
        guard words.count == 3, !words[0].isEmpty, words[1].first == 0x2F,
            words[2].starts(with: Array("HTTP/1.".utf8)),
            line.allSatisfy({ (0x20..<0x7F).contains($0) })
        else { throw .malformedRequestLine }
        method = String(decoding: words[0], as: UTF8.self)
        path = String(decoding: words[1].prefix { $0 != 0x3F }, as: UTF8.self)
        body = Array(bytes[end...])
    }

    /// The offset behind the empty line.
    private static func endOfHead(_ head: ArraySlice<UInt8>) -> Int? {
        var index = head.startIndex
        while let newline = head[index...].firstIndex(of: 0x0A) {
            var next = newline + 1
            if next < head.endIndex, head[next] == 0x0D { next += 1 }
            if next < head.endIndex, head[next] == 0x0A { return next + 1 }
            index = newline + 1
        }
        return nil
    }
}

/// The answer to a `ControlToNodeRequest`, sent back as HTTP/1 text.
package struct ControlToNodeResponse: Equatable, Sendable {
    package var status: Int
    package var body: [UInt8]
    package var contentType: String

    package init(_ status: Int, body: [UInt8] = [], contentType: String = "application/json") {
        self.status = status
        self.body = body
        self.contentType = contentType
    }

    private var reason: String {
        switch status {
        case 200: "OK"
        case 204: "No Content"
        case 400: "Bad Request"
        case 405: "Method Not Allowed"
        default: "Unknown"
        }
    }

    package var bytes: [UInt8] {
        var head = "HTTP/1.1 \(status) \(reason)\r\n"
        if status != 204 {
            head += "Content-Type: \(contentType)\r\nContent-Length: \(body.count)\r\n"
        }
        return Array((head + "\r\n").utf8) + (status == 204 ? [] : body)
    }
}
