package import CryptoPrimitives
import LinuxIO
package import NetTypes

/// The file of a private key: one line, `privkey:` and 64 digits, mode 0600.
package enum KeyFile {
    /// Reads the key, or makes one and stores it where there is no file yet. The folder must be held
    /// (`PrivateFolder`): two processes could each make a key.
    package static func loadOrCreate<Kind: KeyKind>(
        _ path: String, as kind: Kind.Type = Kind.self
    ) throws(ServerStoreError) -> PrivateKey<Kind> {
        if let key = try load(path, as: kind) { return key }
        let key = PrivateKey<Kind>()
        var bytes = Array((key.storedText + "\n").utf8)
        defer { wipe(&bytes) }
        do throws(SystemError) {
            try AtomicFile.write(bytes, to: path)
        } catch {
            throw .keyFile(path: path, reason: "\(error)")
        }
        return key
    }

    /// The key in the file; nil when there is no file.
    package static func load<Kind: KeyKind>(
        _ path: String, as kind: Kind.Type = Kind.self
    ) throws(ServerStoreError) -> PrivateKey<Kind>? {
        do throws(SystemError) {
            guard var bytes = try AtomicFile.read(path, limit: 256) else { return nil }
            defer { wipe(&bytes) }
            if let key = PrivateKey<Kind>(text: text(of: bytes)) { return key }
        } catch {
            throw .keyFile(path: path, reason: "\(error)")
        }
        throw .keyFile(path: path, reason: "it holds no key ('privkey:' and 64 digits)")
    }

    /// An editor may have left a line end or blanks.
    private static func text(of bytes: [UInt8]) -> String {
        let end = bytes.lastIndex { $0 > 0x20 }.map { $0 + 1 } ?? 0
        return String(decoding: bytes[..<end], as: UTF8.self)
    }
}
