import ControlMessages
import ControlServer
import Glibc
import WebForms

/// Speaks HTTP/1.1 over the server's Unix socket, one request to a connection.
struct AdminClient {
    var socketPath: String

    /// More than this is no answer of ours.
    private static var answerLimit: Int { 64 << 20 }
    private static var timeoutSeconds: Int { 30 }

    /// Nil when no server listens there.
    func send(_ request: AdminRequest) throws -> AdminReply? {
        guard let descriptor = try connect() else { return nil }
        defer { close(descriptor) }
        try write(head(of: request) + body(of: request), to: descriptor)
        return try parse(try readAll(descriptor))
    }

    private func body(of request: AdminRequest) -> [UInt8] {
        request.body.members.isEmpty ? [] : request.body.jsonBytes
    }

    private func head(of request: AdminRequest) -> [UInt8] {
        let path = request.path.map { "/" + percentEncoded($0) }.joined()
        return Array(
            """
            \(request.method) \(path) HTTP/1.1\r
            Host: skein-server\r
            Connection: close\r
            Content-Type: application/json\r
            Content-Length: \(body(of: request).count)\r
            \r\n
            """.utf8)
    }

    // MARK: Socket

    private func connect() throws -> CInt? {
        var address = sockaddr_un()
        let path = Array(socketPath.utf8)
        guard path.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw CommandFailure("the path of the socket \(socketPath) is too long")
        }
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
        let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw failure("make a socket") }
        var timeout = timeval(tv_sec: Self.timeoutSeconds, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, size)
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard status != 0 else { return descriptor }
        let error = errno
        close(descriptor)
        switch error {
        case ENOENT, ECONNREFUSED, ENOTDIR: return nil
        case EACCES:
            throw CommandFailure(
                "no permission to open \(socketPath): run this as root or as the server's user")
        default:
            errno = error
            throw failure("connect to \(socketPath)")
        }
    }

    private func write(_ bytes: [UInt8], to descriptor: CInt) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
            }
            guard count > 0 else {
                if errno == EINTR { continue }
                throw failure("write to \(socketPath)")
            }
            rest = rest.dropFirst(count)
        }
    }

    private func readAll(_ descriptor: CInt) throws -> [UInt8] {
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = buffer.withUnsafeMutableBytes {
                read(descriptor, $0.baseAddress, $0.count)
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0, answer.count <= Self.answerLimit else {
                throw failure("read from \(socketPath)")
            }
            if count == 0 { return answer }
            answer += buffer[..<count]
        }
    }

    private func failure(_ what: String) -> CommandFailure {
        CommandFailure("cannot \(what): \(String(cString: strerror(errno)))")
    }

    // MARK: Answer

    /// Our server gives every answer with its length, so what follows the head is the body.
    private func parse(_ answer: [UInt8]) throws -> AdminReply {
        let separator = Array("\r\n\r\n".utf8)
        guard
            let end = answer.indices.first(where: { answer[$0...].starts(with: separator) }),
            let line = String(decoding: answer[..<end], as: UTF8.self).split(separator: "\r\n")
                .first,
            let status = line.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
        else { throw CommandFailure("the answer at \(socketPath) is no HTTP") }
        let body = Array(answer[(end + separator.count)...])
        do { return AdminReply(status: status, try JSON(parsing: body)) } catch {
            throw CommandFailure("the answer at \(socketPath) is no JSON (status \(status))")
        }
    }
}
