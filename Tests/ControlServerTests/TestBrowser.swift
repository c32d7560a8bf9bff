import NIOCore
import NIOPosix
import Testing

/// A browser without a screen: cookies, forms, and what came back. One request to a connection.
struct TestBrowser {
    struct Reply {
        var status: Int
        var headers: [(name: String, value: String)]
        var body: String

        func header(_ name: String) -> String? {
            headers.first { $0.name.lowercased() == name.lowercased() }?.value
        }
        var location: String { header("location") ?? "" }
        /// The hidden field of the page's forms.
        var formToken: String {
            String(
                body.split(separator: "name=\"form\" value=\"").dropFirst().first?.prefix(64) ?? "")
        }
    }

    let port: Int
    var cookies: [String: String] = [:]
    /// Sent with each request, such as `X-Forwarded-For`.
    var headers: [String] = []
    private(set) var last = Reply(status: 0, headers: [], body: "")

    init(port: Int) { self.port = port }

    @discardableResult
    mutating func get(_ path: String) async throws -> Reply {
        try await send("GET \(path) HTTP/1.1", [], "")
    }

    /// Sends a form with the token of the page before.
    @discardableResult
    mutating func post(
        _ path: String, _ fields: [(String, String)], token: String? = nil, extra: [String] = []
    ) async throws -> Reply {
        let all = [("form", token ?? last.formToken)] + fields
        let body = all.map { "\($0.0)=\(Self.encoded($0.1))" }.joined(separator: "&")
        return try await send(
            "POST \(path) HTTP/1.1",
            ["Content-Type: application/x-www-form-urlencoded"] + extra, body)
    }

    /// Goes where the last answer leads.
    @discardableResult
    mutating func follow() async throws -> Reply {
        #expect(last.status == 303)
        #expect(last.location.hasPrefix("/") && !last.location.hasPrefix("//"))
        return try await get(last.location)
    }

    private static func encoded(_ text: String) -> String {
        text.utf8.reduce(into: "") { result, byte in
            let isPlain = (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20)
            if isPlain {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                let digits = String(byte, radix: 16, uppercase: true)
                result += "%" + (digits.count < 2 ? "0" : "") + digits
            }
        }
    }

    private mutating func send(
        _ line: String, _ extra: [String], _ body: String
    ) async throws -> Reply {
        let cookie = cookies.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            .joined(separator: "; ")
        var lines = [line, "Host: 127.0.0.1", "Connection: close", "User-Agent: Test/1"]
        lines += headers + extra + ["Content-Length: \(body.utf8.count)"]
        if !cookie.isEmpty { lines.append("Cookie: \(cookie)") }
        let text = lines.joined(separator: "\r\n") + "\r\n\r\n" + body
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel)
                }
            }
        let answer = try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: text))
            var answer = ""
            for try await bytes in inbound { answer += String(buffer: bytes) }
            return answer
        }
        last = parse(answer)
        return last
    }

    private mutating func parse(_ answer: String) -> Reply {
        let end = answer.firstRange(of: "\r\n\r\n")
        let lines = (end.map { answer[..<$0.lowerBound] } ?? "").split(separator: "\r\n")
        let status = lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        var headers: [(name: String, value: String)] = []
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            headers.append((String(parts[0]), String(parts[1].drop { $0 == " " })))
        }
        for (name, value) in headers where name.lowercased() == "set-cookie" {
            let pair = value.prefix { $0 != ";" }.split(separator: "=", maxSplits: 1)
            let isGone = value.contains("Max-Age=0")
            cookies[String(pair[0])] = isGone ? nil : pair.count > 1 ? String(pair[1]) : ""
        }
        return Reply(
            status: status, headers: headers,
            body: end.map { String(answer[$0.upperBound...]) } ?? "")
    }
}
