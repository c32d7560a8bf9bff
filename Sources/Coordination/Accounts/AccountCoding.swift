package import ControlMessages
import NetTypes

// The stored form of accounts and sessions, as in State/RecordCoding.swift.

extension UserIdentity: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        self.init(
            provider: try object.read("provider", or: ""),
            subject: try object.read("subject", or: ""))
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("provider", provider)
            writer.keep("subject", subject)
        }
    }
}

extension JSONObject {
    /// A hash of 32 bytes in hexadecimal.
    func hash(_ name: String) throws(MessageDecodingError) -> Bytes32 {
        let text: String = try read(name, or: "")
        guard let hash = Bytes32(hexadecimal: text) else {
            throw MessageDecodingError(path: name, .unreadable(expected: "64 digits"))
        }
        return hash
    }
}

extension Bytes32 {
    init?(hexadecimal text: String) {
        guard let bytes = Hexadecimal.decode(text), bytes.count == 32 else { return nil }
        self.init(bytes)
    }
}

extension AccountRecord: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        self.init(user: try object.read("user", or: UserID(0)))
        password = try object.read("password", or: "")
        isPasswordTemporary = try object.read("passwordTemporary", or: false)
        passwordChanged = try object.read("passwordChanged", or: .zero)
        oneTimeCodes = try object.optional("oneTimeCodes")
        for text in try object.read("recoveryCodes", or: [String]()) {
            guard let hash = Bytes32(hexadecimal: text) else {
                throw MessageDecodingError(
                    path: "recoveryCodes", .unreadable(expected: "64 digits"))
            }
            recoveryCodes.append(hash)
        }
        knownBrowsers = try object.read("knownBrowsers", or: [])
        passkeys = try object.read("passkeys", or: [])
        passkeyHandle = Hexadecimal.decode(try object.read("passkeyHandle", or: "")) ?? []
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("user", user)
            writer.omit("password", password)
            writer.omit("passwordTemporary", isPasswordTemporary)
            writer.omit("passwordChanged", passwordChanged)
            writer.omit("oneTimeCodes", oneTimeCodes)
            writer.omit("recoveryCodes", recoveryCodes.map { Hexadecimal.encode($0.array) })
            writer.omit("knownBrowsers", knownBrowsers)
            writer.omit("passkeys", passkeys)
            writer.omit("passkeyHandle", Hexadecimal.encode(passkeyHandle))
        }
    }
}

extension AccountRecord.OneTimeCodes: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        self.init(
            secret: try object.read("secret", or: ""), lastStep: try object.read("lastStep", or: 0))
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("secret", secret)
            writer.keep("lastStep", lastStep)
        }
    }
}

extension AccountRecord.KnownBrowser: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        self.init(
            hash: try object.hash("hash"), lastUsed: try object.read("lastUsed", or: .zero))
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("hash", Hexadecimal.encode(hash.array))
            writer.keep("lastUsed", lastUsed)
        }
    }
}

extension SessionID: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        guard let hash = Bytes32(hexadecimal: try String(json: json)) else {
            throw MessageDecodingError(.unreadable(expected: "64 digits"))
        }
        self.init(hash)
    }

    package func write(to writer: inout JSONWriter) { text.write(to: &writer) }
    package var isJSONZero: Bool { hash.isZero }
}

extension SessionRecord: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        self.init(
            id: SessionID(try object.hash("id")), user: try object.read("user", or: UserID(0)),
            created: try object.read("created", or: .zero),
            expiry: try object.read("expiry", or: .zero),
            address: try object.read("address", or: ""),
            browser: try object.read("browser", or: ""),
            provider: try object.read("provider", or: ""),
            factors: try object.read("factors", or: []))
        lastUsed = try object.read("lastUsed", or: created)
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("id", id)
            writer.keep("user", user)
            writer.keep("created", created)
            writer.keep("lastUsed", lastUsed)
            writer.keep("expiry", expiry)
            writer.omit("address", address)
            writer.omit("browser", browser)
            writer.keep("provider", provider)
            writer.omit("factors", factors)
        }
    }
}
