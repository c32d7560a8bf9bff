package import ControlMessages
package import NetTypes

/// A public key that a user's authenticator made for this server (WebAuthn). Nothing in it is secret.
package struct Passkey: Equatable, Sendable {
    /// The credential's ID, which no other has: up to 1,023 bytes.
    package var id: [UInt8]
    /// A COSE_Key.
    package var publicKey: [UInt8]
    /// How often it says to have signed; zero when it does not count.
    package var counter: UInt32
    /// How browsers may reach it (`internal`, `usb`, `hybrid`, …), as the browser said.
    package var transports: [String] = []
    /// What the user calls it.
    package var name: String
    package var created: Timestamp
    package var lastUsed: Timestamp?
    /// Whether it may be synchronized to other devices.
    package var isBackupEligible: Bool
    package var isBackedUp: Bool

    package init(
        id: [UInt8], publicKey: [UInt8], counter: UInt32, name: String, created: Timestamp,
        isBackupEligible: Bool, isBackedUp: Bool
    ) {
        self.id = id
        self.publicKey = publicKey
        self.counter = counter
        self.name = name
        self.created = created
        self.isBackupEligible = isBackupEligible
        self.isBackedUp = isBackedUp
    }

    /// The start of the ID, for lists and commands.
    package var shortID: String { Hexadecimal.encode(Array(id.prefix(8))) }
}

extension Passkey: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        self.init(
            id: try object.digits("id"), publicKey: try object.digits("publicKey"),
            counter: UInt32(clamping: try object.read("counter", or: Int64(0))),
            name: try object.read("name", or: ""),
            created: try object.read("created", or: .zero),
            isBackupEligible: try object.read("backupEligible", or: false),
            isBackedUp: try object.read("backedUp", or: false))
        transports = try object.read("transports", or: [])
        lastUsed = try object.optional("lastUsed")
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("id", Hexadecimal.encode(id))
            writer.keep("publicKey", Hexadecimal.encode(publicKey))
            writer.omit("counter", Int64(counter))
            writer.omit("transports", transports)
            writer.keep("name", name)
            writer.keep("created", created)
            writer.omit("lastUsed", lastUsed)
            writer.omit("backupEligible", isBackupEligible)
            writer.omit("backedUp", isBackedUp)
        }
    }
}

extension JSONObject {
    /// Bytes in hexadecimal.
    fileprivate func digits(_ name: String) throws(MessageDecodingError) -> [UInt8] {
        let text: String = try read(name, or: "")
        guard let bytes = Hexadecimal.decode(text), !bytes.isEmpty else {
            throw MessageDecodingError(path: name, .unreadable(expected: "hexadecimal digits"))
        }
        return bytes
    }
}
