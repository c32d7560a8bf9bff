import Certificates
internal import Glibc
import LinuxIO
import NetTypes

/// What the files say.
struct Trust: Sendable {
    var store: TrustStore
    var blockedKeys: Set<Bytes32>
}

/// Reads the files of authorities, revocation lists and blocked keys.
struct TrustFiles: Sendable {
    /// Larger ones are refused.
    private static let sizeLimit = 32 << 20

    let settings: MachineCertificateSettings

    func read() throws(MachineCertificateFileError) -> Trust {
        let authorities = try contents(settings.authorities)
        let lists = try contents(settings.revocationLists)
        let store: TrustStore
        do throws(TrustStore.FileFault) {
            store = try TrustStore(authorities: authorities, revocationLists: lists)
        } catch {
            let paths = error.isRevocationList ? settings.revocationLists : settings.authorities
            throw MachineCertificateFileError(
                path: paths[error.index], reason: reason(error))
        }
        return Trust(store: store, blockedKeys: try blockedKeys())
    }

    private func reason(_ fault: TrustStore.FileFault) -> String {
        let what = fault.isRevocationList ? "revocation list" : "certificate of an authority"
        return switch fault.fault {
        case .empty: "there is no \(what) in it"
        case .malformed: "a \(what) in it cannot be read"
        case .notAnAuthority: "a certificate in it is not one of an authority (CA)"
        default: fault.fault.text
        }
    }

    private func contents(
        _ paths: [String]
    ) throws(MachineCertificateFileError) -> [[UInt8]] {
        var contents: [[UInt8]] = []
        for path in paths { contents.append(try content(path)) }
        return contents
    }

    private func content(_ path: String) throws(MachineCertificateFileError) -> [UInt8] {
        do throws(SystemError) {
            if let content = try AtomicFile.read(path, limit: Self.sizeLimit) { return content }
        } catch {
            throw MachineCertificateFileError(path: path, reason: "cannot be read: \(error.text)")
        }
        throw MachineCertificateFileError(path: path, reason: "there is no such file")
    }

    private func blockedKeys() throws(MachineCertificateFileError) -> Set<Bytes32> {
        var keys = Set(settings.blockedKeys)
        guard let path = settings.blockedKeysFile else { return keys }
        let text = String(decoding: try content(path), as: UTF8.self)
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated()
        {
            let digits = line.prefix { $0 != "#" }.filter { !$0.isWhitespace }
            if digits.isEmpty { continue }
            guard let hash = Bytes32(keyHash: digits) else {
                throw MachineCertificateFileError(
                    path: path,
                    reason: "line \(index + 1) is no SHA-256 of a public key "
                        + "(64 hexadecimal digits)")
            }
            keys.insert(hash)
        }
        return keys
    }

    // MARK: Changes

    /// Tells one version of the files from another.
    struct Stamp: Equatable, Sendable {
        private var values: [Int] = []

        fileprivate init(_ paths: [String]) {
            for path in paths {
                var information = stat()
                guard unsafe stat(path, &information) == 0 else {
                    values.append(-1)
                    continue
                }
                values += [
                    Int(information.st_size), Int(bitPattern: UInt(information.st_ino)),
                    information.st_mtim.tv_sec, information.st_mtim.tv_nsec,
                    information.st_ctim.tv_sec, information.st_ctim.tv_nsec,
                ]
            }
        }
    }

    /// The files as they are now.
    var stamp: Stamp {
        Stamp(
            settings.authorities + settings.revocationLists
                + [settings.blockedKeysFile].compactMap { $0 })
    }
}

extension Bytes32 {
    /// Parses the SHA-256 of a public key: 64 hexadecimal digits, with colons between or not.
    package init?(keyHash text: some StringProtocol) {
        guard let bytes = Hexadecimal.decode(String(text).filter { $0 != ":" }), bytes.count == 32
        else {
            return nil
        }
        self.init(bytes)
    }
}
