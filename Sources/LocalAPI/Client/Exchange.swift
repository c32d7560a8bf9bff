import ControlMessages
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix

/// The body of an answer as it arrives.
struct AnswerParts {
    fileprivate var iterator: NIOAsyncChannelInboundStream<HTTPClientResponsePart>.AsyncIterator

    /// Nil at the end of the answer, and when the daemon hangs up.
    mutating func nextBytes() async throws(LocalClientError) -> ByteBufferView? {
        while true {
            let part: HTTPClientResponsePart?
            do { part = try await iterator.next(isolation: #isolation) } catch {
                throw .disconnected
            }
            switch part {
            case .body(let buffer): return buffer.readableBytesView
            case .head: continue
            case .end, nil: return nil
            }
        }
    }

    mutating func allBytes() async throws(LocalClientError) -> [UInt8] {
        var bytes: [UInt8] = []
        while let more = try await nextBytes() {
            bytes += more
            guard bytes.count <= LocalClient.maximumAnswerBytes else {
                throw .unexpectedAnswer(detail: "it is too large")
            }
        }
        return bytes
    }
}

extension LocalClient {
    private typealias Channel = NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>

    /// Sends one request and hands the body of a good answer to `receive`.
    func exchange<Value: Sendable>(
        _ method: HTTPMethod, _ target: String, body: [UInt8],
        receive: (inout AnswerParts) async throws(LocalClientError) -> Value
    ) async throws(LocalClientError) -> Value {
        let channel = try await connect()
        do {
            return try await channel.executeThenClose { inbound, outbound in
                let head = HTTPRequestHead(
                    version: .http1_1, method: method, uri: Router.prefix + target,
                    headers: [
                        "Host": "local-tailscaled.sock", "Connection": "close",
                        "Content-Length": String(body.count),
                    ])
                try await outbound.write(.head(head))
                if !body.isEmpty {
                    try await outbound.write(.body(.byteBuffer(ByteBuffer(bytes: body))))
                }
                try await outbound.write(.end(nil))
                var parts = AnswerParts(iterator: inbound.makeAsyncIterator())
                guard case .head(let answer) = try await parts.iterator.next(isolation: #isolation)
                else {
                    throw LocalClientError.disconnected
                }
                guard (200..<300).contains(answer.status.code) else {
                    throw LocalClientError.refused(
                        status: Int(answer.status.code),
                        message: message(of: try await parts.allBytes(), answer.status))
                }
                return try await receive(&parts)
            }
        } catch let error as LocalClientError {
            throw error
        } catch {
            throw .disconnected
        }
    }

    private func connect() async throws(LocalClientError) -> Channel {
        do {
            return try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(unixDomainSocketPath: socketPath) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHTTPClientHandlers()
                        return try Channel(wrappingChannelSynchronously: channel)
                    }
                }
        } catch let error as IOError {
            switch error.errnoCode {
            case ENOENT, ECONNREFUSED: throw .notRunning(path: socketPath)
            case EACCES, EPERM: throw .permissionDenied(path: socketPath)
            case let code: throw .system(path: socketPath, code: code)
            }
        } catch {
            throw .unexpectedAnswer(detail: "\(error)")
        }
    }

    /// The daemon's own words, or the status where it has none.
    private func message(of body: [UInt8], _ status: HTTPResponseStatus) -> String {
        guard let json = try? JSON(parsing: body), let text = json.object?["error"]?.string else {
            // An answer without a reason, perhaps of something else that listens there.
            return "the daemon refused: \(status.code) \(status.reasonPhrase)"
        }
        return text
    }
}
