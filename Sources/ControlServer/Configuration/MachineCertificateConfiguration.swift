import Certificates
import Coordination
import Logging
import MachineCertificates
package import NetTypes

extension MachineCertificateSettings {
    static let configurationKeys = [
        "mode", "authorities", "revocation_lists", "blocked_keys", "blocked_keys_file",
        "maximum_age", "accept_signature_v1", "owner_from", "owner_prefix", "owner_suffix",
    ]
}

extension ServerConfiguration {
    mutating func readMachineCertificates(
        _ reader: ConfigurationReader
    ) throws(ConfigurationError) {
        let section = "machine_certificates."
        var settings = MachineCertificateSettings()
        if let text = try reader.string(section + "mode") {
            guard let mode = MachineCertificateMode(rawValue: text) else {
                throw reader.error(section + "mode", text, "write off, sufficient or required")
            }
            settings.mode = mode
        }
        settings.authorities = try reader.strings(section + "authorities") ?? []
        settings.revocationLists = try reader.strings(section + "revocation_lists") ?? []
        for text in try reader.strings(section + "blocked_keys") ?? [] {
            guard let key = Bytes32(keyHash: text) else {
                throw reader.error(
                    section + "blocked_keys", text,
                    "write SHA-256 sums of public keys, 64 hexadecimal digits each")
            }
            settings.blockedKeys.append(key)
        }
        settings.blockedKeysFile = try reader.string(section + "blocked_keys_file")
        if let age = try reader.duration(section + "maximum_age") {
            guard age >= .seconds(10), age <= .seconds(86_400) else {
                throw reader.error(
                    section + "maximum_age", "\(age.inSeconds) s", "write a time from 10s to 24h")
            }
            settings.maximumAge = age
        }
        settings.acceptsVersion1 = try reader.bool(section + "accept_signature_v1") ?? false
        settings.owner = try ownerRule(reader, section)
        if settings.mode != .off, settings.authorities.isEmpty {
            throw reader.missing(
                section + "authorities", beside: section + "mode", "a list of PEM files")
        }
        if settings.mode == .sufficient, settings.owner == nil {
            throw reader.missing(
                section + "owner_from", beside: section + "mode",
                "the field of a certificate that names its user")
        }
        machineCertificates = settings
    }

    private func ownerRule(
        _ reader: ConfigurationReader, _ section: String
    ) throws(ConfigurationError) -> OwnerRule? {
        let prefix = try reader.string(section + "owner_prefix")
        let suffix = try reader.string(section + "owner_suffix")
        guard let text = try reader.string(section + "owner_from") else {
            guard prefix == nil, suffix == nil else {
                throw reader.missing(
                    section + "owner_from",
                    beside: section + (prefix != nil ? "owner_prefix" : "owner_suffix"),
                    "the field they are of")
            }
            return nil
        }
        guard let field = CertificateField(rawValue: text) else {
            let fields = CertificateField.allCases.map(\.rawValue).joined(separator: ", ")
            throw reader.error(section + "owner_from", text, "write one of: \(fields)")
        }
        return OwnerRule(field: field, prefix: prefix ?? "", suffix: suffix ?? "")
    }

    /// Reads the files that machine certificates are checked with, and says what is noteworthy.
    package func checkMachineCertificates(
        at now: Timestamp
    ) throws(ControlServerError) -> [String] {
        guard let checker = try Self.checker(machineCertificates, serverURL, Logger(label: "check"))
        else { return [] }
        guard let next = checker.nextRevocationUpdate, next <= now else { return [] }
        return [
            "a revocation list is out of date since \(next): its authority's machines are refused"
        ]
    }

    static func checker(
        _ settings: MachineCertificateSettings, _ serverURL: String, _ logger: Logger
    ) throws(ControlServerError) -> MachineCertificateChecker? {
        guard settings.mode != .off else { return nil }
        do throws(MachineCertificateFileError) {
            return try MachineCertificateChecker(settings, serverURL: serverURL, logger: logger)
        } catch {
            throw .machineCertificates("\(error)")
        }
    }
}

extension ControlServer.Settings {
    func machineCertificateChecker(
        logger: Logger
    ) throws(ControlServerError) -> MachineCertificateChecker? {
        try ServerConfiguration.checker(machineCertificates, coordination.serverURL, logger)
    }
}
