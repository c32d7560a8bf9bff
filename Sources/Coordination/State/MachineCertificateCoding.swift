package import ControlMessages
import NetTypes

extension MachineCertificate: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        self.init(
            subject: try object.read("subject", or: ""),
            keyHash: try Self.hash(object, "keyHash"),
            serialHash: try Self.hash(object, "serialHash"),
            notAfter: try object.read("notAfter", or: .zero),
            signedAt: try object.read("signedAt", or: .zero),
            owner: try object.optional("owner"),
            chain: Hexadecimal.decode(try object.read("chain", or: "")) ?? [])
    }

    private static func hash(
        _ object: JSONObject, _ name: String
    ) throws(MessageDecodingError) -> Bytes32 {
        let digits: String = try object.read(name, or: "")
        guard let hash = Hexadecimal.decode(digits), hash.count == 32 else {
            throw MessageDecodingError(path: name, .unreadable(expected: "64 digits"))
        }
        return Bytes32(hash)
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("subject", subject)
            writer.keep("keyHash", Hexadecimal.encode(keyHash.array))
            writer.keep("serialHash", Hexadecimal.encode(serialHash.array))
            writer.keep("notAfter", notAfter)
            writer.keep("signedAt", signedAt)
            writer.omit("owner", owner)
            writer.omit("chain", Hexadecimal.encode(chain))
        }
    }
}
