import ControlMessages
import Glibc
import LinuxIO
import NetTypes

/// What this machine tells servers and peers about itself.
enum HostInformation {
    /// - Parameter hostname: The name its user chose; empty for the machine's own.
    static func hostinfo(
        hostname: String, backendLogID: String, advertisedRoutes: [IPPrefix], tags: [String]
    ) -> Hostinfo {
        var info = Hostinfo()
        info.clientVersion = SkeinVersion.text
        info.backendLogID = backendLogID
        info.operatingSystem = "linux"
        let system = kernel()
        info.operatingSystemVersion = system.release
        info.hostname = hostname.isEmpty ? system.name : hostname
        info.members["Machine"] = .string(system.machine)
        info.members["App"] = .string("skein")
        for (name, value) in distribution() { info.members[name] = .string(value) }
        info.routableIPs = advertisedRoutes
        info.requestTags = tags
        return info
    }

    private static func kernel() -> (name: String, release: String, machine: String) {
        var fields = utsname()
        guard uname(&fields) == 0 else { return ("node", "", "") }
        func text<Field>(_ field: Field) -> String {
            withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        }
        let name = text(fields.nodename).prefix { $0 != "." }
        return (String(name), text(fields.release), text(fields.machine))
    }

    /// From os-release(5), under the names the control protocol has for it.
    private static func distribution() -> [(String, String)] {
        // A system without the file, or with one we cannot read, just has no distribution to name.
        guard let bytes = try? AtomicFile.read("/etc/os-release", limit: 1 << 16) else { return [] }
        var found: [(String, String)] = []
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1)
            guard parts.count == 2 else { continue }
            var value = parts[1]
            if value.count >= 2, value.hasPrefix("\""), value.hasSuffix("\"") {
                value = value.dropFirst().dropLast()
            }
            switch parts[0] {
            case "ID": found.append(("Distro", String(value)))
            case "VERSION_ID": found.append(("DistroVersion", String(value)))
            case "VERSION_CODENAME": found.append(("DistroCodeName", String(value)))
            default: continue
            }
        }
        return found
    }
}
