package import Certificates
package import Coordination
package import NetTypes

/// What the operator set about machine certificates.
package struct MachineCertificateSettings: Equatable, Sendable {
    package var mode = MachineCertificateMode.off
    /// PEM files; each certificate in them is trusted, be it a root or not.
    package var authorities: [String] = []
    /// PEM or DER files. Where there are any, each certificate needs a current list of its issuer.
    package var revocationLists: [String] = []
    /// Keys, as `LeafCertificate.keyHash`, that count in no certificate.
    package var blockedKeys: [Bytes32] = []
    /// A file with more of them, one on a line in hexadecimal; `#` begins a comment.
    package var blockedKeysFile: String?
    /// How far the time in a signature may be from the server's clock, either way.
    package var maximumAge = Nanoseconds.minutes(5)
    /// Whether signatures of the scheme `signature-v1` count, which bind to 30 bits of the machine key.
    package var acceptsVersion1 = false
    /// How a certificate names the owner of its machine; nil: it names none.
    package var owner: OwnerRule?

    package init() {}
}

/// How a certificate names the user whose machine it is of.
package struct OwnerRule: Equatable, Sendable {
    package var field: CertificateField
    /// What stands before and behind the user's name in the field's value.
    package var prefix: String
    package var suffix: String

    package init(field: CertificateField, prefix: String = "", suffix: String = "") {
        self.field = field
        self.prefix = prefix
        self.suffix = suffix
    }

    /// The user's name; nil when the certificate has not exactly one value of the field, or one of another
    /// form.
    package func owner(in chain: CertificateChain) -> String? {
        guard let value = chain.value(of: field), value.hasPrefix(prefix), value.hasSuffix(suffix),
            value.utf8.count > prefix.utf8.count + suffix.utf8.count
        else { return nil }
        return String(value.dropFirst(prefix.count).dropLast(suffix.count))
    }
}

/// A file that cannot be used, in one line.
package struct MachineCertificateFileError: Error, Equatable, CustomStringConvertible {
    package var path: String
    package var reason: String

    package var description: String { "\(path): \(reason)" }
}
