import Certificates
import Foundation
import NetTypes
import Testing

enum Fixtures {
    static func file(_ name: String) throws -> [UInt8] {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Fixtures/machine-certificates")
        return Array(try Data(contentsOf: folder.appending(path: name)))
    }

    /// The bytes of the PEM blocks of a file, one behind the other.
    static func der(_ name: String) throws -> [UInt8] {
        let text = String(decoding: try file(name), as: UTF8.self)
        var der: [UInt8] = []
        var block = ""
        for line in text.split(separator: "\n") {
            if line.hasPrefix("-----BEGIN") {
                block = ""
            } else if line.hasPrefix("-----END") {
                der += Array(try #require(Data(base64Encoded: block)))
            } else {
                block += line
            }
        }
        return der
    }

    static func chain(_ name: String) throws -> CertificateChain {
        let der = try der(name)
        return try CertificateChain(der: der.span.bytes)
    }

    static func trust(
        _ authorities: [String] = ["root.pem"], lists: [String] = []
    ) throws -> TrustStore {
        try TrustStore(
            authorities: try authorities.map { try file($0) },
            revocationLists: try lists.map { try file($0) })
    }

    static func identity(_ certificates: String, _ key: String) throws -> MachineIdentity {
        let certificates = try file(certificates)
        let key = try file(key)
        return try MachineIdentity(
            certificates: certificates.span.bytes, key: key.span.bytes)
    }

    /// 2027-01-01: within the validity of all that is not bad by date.
    static let now = Timestamp(rfc3339: "2027-01-01T00:00:00Z")!

    /// What a check says; nil when it says nothing against it.
    static func fault(
        of name: String, in trust: TrustStore, at now: Timestamp = now
    ) throws -> CertificateFault? {
        let der = try der(name)
        do throws(CertificateFault) {
            let chain = try CertificateChain(der: der.span.bytes)
            _ = try trust.check(chain, at: now)
            return nil
        } catch {
            return error
        }
    }
}
