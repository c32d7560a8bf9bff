import Coordination
import Foundation
import MachineCertificates
import NetTypes
import TOMLKit

/// Why a configuration file is refused: one line that names the file, the line, the key, and what
/// would be right.
package struct ConfigurationError: Error, Equatable, CustomStringConvertible {
    package var file: String
    /// From 1; nil when it is not about one line.
    package var line: Int?
    package var reason: String

    package var description: String {
        "\(file)\(line.map { ":\($0)" } ?? ""): \(reason)"
    }
}

extension ServerConfiguration {
    /// Where the configuration is looked for when no file is named. It need not exist.
    package static var defaultPath: String { "/etc/skein-server/config.toml" }

    /// Reads a configuration file; nil for the file in the default place, or the defaults when
    /// there is none.
    package init(file: String?) throws(ConfigurationError) {
        let path = file ?? Self.defaultPath
        guard file != nil || FileManager.default.fileExists(atPath: path) else {
            self.init()
            return
        }
        let text: String
        do { text = try String(contentsOfFile: path, encoding: .utf8) } catch {
            let reason =
                FileManager.default.fileExists(atPath: path)
                ? "the file cannot be read" : "there is no such file"
            throw ConfigurationError(file: path, reason: reason)
        }
        try self.init(toml: text, file: path)
    }

    /// Reads a configuration from TOML text; `file` is its name in errors.
    package init(toml text: String, file: String) throws(ConfigurationError) {
        self.init()
        let table: TOMLTable
        do { table = try TOMLTable(string: text) } catch let error as TOMLParseError {
            throw ConfigurationError(
                file: file, line: error.source.begin.line, reason: "\(error.description)")
        } catch {
            throw ConfigurationError(file: file, reason: "\(error)")
        }
        let reader = ConfigurationReader(table: table, text: text, file: file)
        try reader.refuseUnknownKeys()
        try readServer(reader)
        try readRelay(reader)
        try readNodes(reader)
        try readAccounts(reader)
        try readMachineCertificates(reader)
        providers = try ProviderConfiguration.all(reader)
    }

    private mutating func readServer(_ reader: ConfigurationReader) throws(ConfigurationError) {
        if let url = try reader.string("server_url") {
            let trimmed = url.hasSuffix("/") ? String(url.dropLast()) : url
            guard Self.hostAndPort(ofURL: trimmed) != nil else {
                throw reader.error(
                    "server_url", url,
                    "write https://HOST or http://HOST, with :PORT where it is not the usual one")
            }
            serverURL = trimmed
        }
        if let endpoint = try reader.endpoint("listen") { listen = endpoint }
        if let path = try reader.string("state_dir") {
            guard path.hasPrefix("/") else {
                throw reader.error("state_dir", path, "write a path that begins with /")
            }
            stateDirectory = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        }
        let certificate = try reader.string("tls.certificate")
        let key = try reader.string("tls.key")
        switch (certificate, key) {
        case (let certificate?, let key?): tls = TLSFiles(certificate: certificate, key: key)
        case (nil, nil): break
        case (nil, _):
            throw reader.missing("tls.certificate", beside: "tls.key", "the path of a PEM file")
        case (_, nil):
            throw reader.missing("tls.key", beside: "tls.certificate", "the path of a PEM file")
        }
        for text in try reader.strings("trusted_proxies") ?? [] {
            guard let prefix = IPPrefix(text) ?? IPAddress(text).map({ IPPrefix(host: $0) }) else {
                throw reader.error("trusted_proxies", text, "write addresses or prefixes")
            }
            trustedProxies.append(prefix)
        }
    }

    private mutating func readNodes(_ reader: ConfigurationReader) throws(ConfigurationError) {
        if let lifetime = try reader.duration("node.key_expiry") {
            keyLifetime = lifetime == .zero ? nil : lifetime
        }
        keyLifetimes = try reader.durations("node.key_expiry_of") { name in
            name.hasPrefix("tag:") ? Coordinator.isTag(name) : !name.isEmpty
        }
        if let isOn = try reader.bool("node.approval") { requiresApproval = isOn }
        if let timeout = try reader.duration("node.ephemeral_timeout") {
            guard timeout >= .minutes(1) else {
                throw reader.error(
                    "node.ephemeral_timeout", "\(timeout.inSeconds) s", "write 1m or longer")
            }
            ephemeralTimeout = timeout
        }
        if let domain = try reader.string("dns.base_domain") {
            let labels = domain.split(separator: ".", omittingEmptySubsequences: false)
            guard domain.utf8.count <= 180, labels.allSatisfy({ NodeName.isLabel(String($0)) })
            else {
                throw reader.error(
                    "dns.base_domain", domain,
                    "write a domain in small letters, such as mesh.example.org")
            }
            baseDomain = domain
        }
        ipv4Range = try reader.range(
            "addresses.ipv4", within: .tunnelIPv4, default: ipv4Range)
        ipv6Range = try reader.range(
            "addresses.ipv6", within: .tunnelIPv6, default: ipv6Range)
        guard ipv4Range != nil || ipv6Range != nil else {
            throw reader.error("addresses.ipv6", "", "at least one kind of addresses is needed")
        }
    }
}

/// Takes values out of a parsed file and says what is wrong with them.
struct ConfigurationReader {
    let table: TOMLTable
    let text: String
    let file: String
    /// What leads to the table, in errors.
    var prefix = ""
    /// Which of the tables `[[name]]` this is; nil when it is none, or lies in another of these.
    var element: (name: String, index: Int)?

    /// Every key there is, by table.
    private static let known: [String: [String]] = [
        "": ["server_url", "listen", "state_dir", "trusted_proxies", "providers"],
        "tls": ["certificate", "key"],
        "relay": [
            "enabled", "region_id", "region_code", "region_name", "stun_listen", "stun_alternate",
            "ipv4", "ipv6",
            "mesh_key_file", "mesh_with", "trust_file", "verify_clients", "verify_fail_open",
            "regions", "map_file",
        ],
        "node": ["key_expiry", "key_expiry_of", "ephemeral_timeout", "approval"],
        "dns": ["base_domain"],
        "addresses": ["ipv4", "ipv6"],
        "accounts": [
            "local", "second_factor", "issuer", "session_idle", "session_lifetime",
            "minimum_password_length", "passkeys", "password_passes",
        ],
        "machine_certificates": MachineCertificateSettings.configurationKeys,
    ]

    func refuseUnknownKeys() throws(ConfigurationError) {
        for name in table.keys.sorted(by: { line(of: $0) ?? 0 < line(of: $1) ?? 0 }) {
            if let inner = table[name]?.table {
                guard let keys = Self.known[name], name != "" else {
                    throw unknown(name, "[\(name)]", among: Self.known.keys.filter { $0 != "" })
                }
                for key in inner.keys where !keys.contains(key) {
                    throw unknown("\(name).\(key)", key, among: keys)
                }
            } else {
                guard Self.known["", default: []].contains(name) else {
                    throw unknown(name, name, among: Self.known["", default: []])
                }
            }
        }
    }

    func unknown(
        _ path: String, _ shown: String, among known: [String]
    ) -> ConfigurationError {
        let list = known.sorted().joined(separator: ", ")
        return ConfigurationError(
            file: file, line: line(of: path), reason: "unknown key \(shown); there are: \(list)")
    }

    // MARK: Values

    func string(_ path: String) throws(ConfigurationError) -> String? {
        guard let value = value(path) else { return nil }
        guard let text = value.string else { throw wrongType(path, "a text in quotes") }
        return text
    }

    func strings(_ path: String) throws(ConfigurationError) -> [String]? {
        guard let value = value(path) else { return nil }
        guard let array = value.array else { throw wrongType(path, "a list of texts") }
        var result: [String] = []
        for element in array {
            guard let text = element.string else { throw wrongType(path, "a list of texts") }
            result.append(text)
        }
        return result
    }

    func bool(_ path: String) throws(ConfigurationError) -> Bool? {
        guard let value = value(path) else { return nil }
        guard let result = value.bool else { throw wrongType(path, "true or false") }
        return result
    }

    func integer(_ path: String, in range: ClosedRange<Int>) throws(ConfigurationError) -> Int? {
        guard let value = value(path) else { return nil }
        guard let number = value.int, range.contains(number) else {
            throw wrongType(path, "a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func endpoint(_ path: String) throws(ConfigurationError) -> Endpoint? {
        guard let text = try string(path) else { return nil }
        guard let endpoint = Endpoint(text), endpoint.port > 0 else {
            throw error(path, text, "write ADDRESS:PORT, such as 0.0.0.0:8080 or [::]:8080")
        }
        return endpoint
    }

    func duration(_ path: String) throws(ConfigurationError) -> Nanoseconds? {
        guard let text = try string(path) else { return nil }
        guard let duration = Nanoseconds(durationText: text) else {
            throw error(path, text, "write a time such as 90s, 30m, 24h, 180d, or 0")
        }
        return duration
    }

    /// A table of times, by names that are allowed.
    func durations(
        _ path: String, of isName: (String) -> Bool
    ) throws(ConfigurationError) -> [String: Nanoseconds] {
        guard let value = value(path) else { return [:] }
        let advice = "a table such as { \"alice\" = \"30d\", \"tag:kiosk\" = \"7d\" }"
        guard let table = value.table else { throw wrongType(path, advice) }
        var result: [String: Nanoseconds] = [:]
        for name in table.keys.sorted() {
            guard isName(name), let text = table[name]?.string,
                let duration = Nanoseconds(durationText: text)
            else { throw error(path, name, "write " + advice) }
            result[name] = duration
        }
        return result
    }

    func range(
        _ path: String, within space: IPPrefix, default standard: IPPrefix?
    ) throws(ConfigurationError) -> IPPrefix? {
        guard let text = try string(path) else { return standard }
        if text.isEmpty { return nil }
        guard let prefix = IPPrefix(text), prefix.masked == prefix, space.contains(prefix) else {
            throw error(
                path, text, "write a prefix within \(space), which is all that clients accept")
        }
        return prefix
    }

    /// The tables `[[path]]`, each with values of its own.
    func tables(
        _ path: String, keys: [String]
    ) throws(ConfigurationError) -> [ConfigurationReader] {
        guard let value = value(path) else { return [] }
        guard let array = value.array else { throw wrongType(path, "tables [[\(path)]]") }
        var readers: [ConfigurationReader] = []
        for (index, element) in array.enumerated() {
            guard let table = element.table else { throw wrongType(path, "tables [[\(path)]]") }
            var reader = ConfigurationReader(
                table: table, text: text, file: file, prefix: "\(prefix)\(path).")
            if prefix.isEmpty { reader.element = (path, index) }
            for key in table.keys where !keys.contains(key) {
                throw reader.unknown("\(prefix)\(path).\(key)", key, among: keys)
            }
            readers.append(reader)
        }
        return readers
    }

    private func value(_ path: String) -> (any TOMLValueConvertible)? {
        let parts = path.split(separator: ".").map { String($0) }
        return parts.count == 1 ? table[parts[0]] : table[parts[0]]?.table?[parts[1]]
    }

    // MARK: Errors

    func error(_ path: String, _ value: String, _ advice: String) -> ConfigurationError {
        ConfigurationError(
            file: file, line: line(of: prefix + path),
            reason: "\(prefix)\(path) = \"\(value)\": \(advice)")
    }

    func missing(_ path: String, beside other: String, _ what: String) -> ConfigurationError {
        ConfigurationError(
            file: file, line: line(of: other), reason: "\(other) needs \(path) beside it, \(what)")
    }

    func wrongType(_ path: String, _ what: String) -> ConfigurationError {
        ConfigurationError(
            file: file, line: line(of: prefix + path), reason: "\(prefix)\(path) has to be \(what)")
    }

    /// The line, from 1, on which a key or table begins. The parser does not tell, so this looks
    /// for it; a key in a form that it does not see (quoted, inline) has its table's line or none.
    func line(of path: String) -> Int? {
        let parts = path.split(separator: ".").map { String($0) }
        var table = ""
        var tableLine: Int?
        var seen = 0
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated()
        {
            let content = line.drop { $0 == " " || $0 == "\t" }
            if content.hasPrefix("[") {
                let name = content.dropFirst().prefix { $0 != "]" }
                table = name.filter { $0 != " " && $0 != "[" }
                if let element, table == element.name {
                    // Of the tables of one name only this one counts.
                    if seen != element.index { table = "" }
                    seen += 1
                    if table.isEmpty { continue }
                }
                if table == parts[0] { tableLine = index + 1 }
                if parts.count == 1, table.hasPrefix(parts[0] + ".") || table == parts[0] {
                    return index + 1
                }
                continue
            }
            let key = content.prefix { $0 != "=" }.filter { $0 != " " && $0 != "\t" && $0 != "\"" }
            guard content.contains("="), !key.isEmpty else { continue }
            let full = table.isEmpty ? key : "\(table).\(key)"
            if full == path || full.hasPrefix(path + ".") { return index + 1 }
            if full == parts[0] { tableLine = index + 1 }
        }
        return tableLine
    }
}

extension Nanoseconds {
    /// A time of one or more numbers with units, such as `90s`, `30m`, `1h30m`, `180d`; or `0`.
    package init?(durationText text: String) {
        if text == "0" {
            self = .zero
            return
        }
        var total: Int64 = 0
        var number = ""
        for character in text {
            if character.isASCII, character.isWholeNumber {
                number.append(character)
                continue
            }
            let seconds: Int64
            switch character {
            case "s": seconds = 1
            case "m": seconds = 60
            case "h": seconds = 3_600
            case "d": seconds = 86_400
            case "w": seconds = 604_800
            default: return nil
            }
            // A hundred years at most, far from overflow.
            guard let count = Int64(number), count <= 36_500 * 86_400 else { return nil }
            total += count * seconds
            guard total <= 36_500 * 86_400 else { return nil }
            number = ""
        }
        guard number.isEmpty, !text.isEmpty else { return nil }
        self = .seconds(total)
    }
}
