internal import ControlMessages
internal import ControlTransport
internal import NetTypes

extension Dialer {
    /// More than a key takes.
    private static let keyLimit = 64 << 10

    /// The server's Noise key, from `GET /key` (control protocol §2.1).
    func fetchServerKey(version: Int) async throws(ControlClientError) -> MachineKey {
        try serverKey(
            in: await request(
                PlainRequest(path: "/key?v=\(version)", replyLimit: Self.keyLimit), .fetchingKey))
    }

    private func serverKey(in reply: HTTPReply) throws(ControlClientError) -> MachineKey {
        if (300..<400).contains(reply.status), let location = reply.location {
            throw .notAControlServer(
                url, detail: "it redirects to \(printable(location.utf8, limit: 100))")
        }
        guard reply.status == 200 else {
            throw .notAControlServer(url, detail: "it answers \(reply.status) to GET /key")
        }
        // Whatever is wrong with it, an answer that cannot be read is no key; an old server sends
        // its legacy key as bare digits.
        guard let keys = try? ServerKeys(jsonBytes: reply.body) else {
            if Hexadecimal.decode(String(decoding: reply.body, as: UTF8.self))?.count == 32 {
                throw .serverTooOld(url)
            }
            throw .notAControlServer(url, detail: "its answer to GET /key is no key")
        }
        guard !keys.publicKey.isZero else { throw .serverTooOld(url) }
        return keys.publicKey
    }
}
