import Certificates
import NetTypes

/// An authority whose certificates are in the seeds.
private let trust: TrustStore? = try? TrustStore(
    authorities: [Array(rootCertificate.utf8)], revocationLists: [])

let certificateFuzzTargets: [FuzzTarget] = [
    FuzzTarget(name: "machine-certificate") { bytes in
        guard let chain = try? CertificateChain(der: bytes) else { return }
        precondition(chain.leaf.subject.utf8.count <= 4 * 512, "subjects are bounded")
        for field in CertificateField.allCases { _ = chain.value(of: field) }
        let isSigned = chain.leafSigned(bytes, signature: bytes)
        precondition(!isSigned, "nobody signs a certificate chain with itself")
        precondition(trust != nil, "the authority can be read")
        let now = Timestamp(unixSeconds: 1_800_000_000)
        if let path = try? trust?.check(chain, at: now) {
            precondition(path.count >= 2, "a path ends in another certificate than the leaf")
        }
    },
    FuzzTarget(name: "revocation-list") { bytes in
        _ = try? TrustStore(authorities: [], revocationLists: [bytes.array])
    },
]

private let rootCertificate = """
    -----BEGIN CERTIFICATE-----
    MIIBjDCCARKgAwIBAgIUEhRjKB7ld0hbLfkM8RplU45A9XYwCgYIKoZIzj0EAwIw
    FDESMBAGA1UEAwwJVGVzdCBSb290MCAXDTI2MDEwMTAwMDAwMFoYDzIxMjUwMTAx
    MDAwMDAwWjAUMRIwEAYDVQQDDAlUZXN0IFJvb3QwdjAQBgcqhkjOPQIBBgUrgQQA
    IgNiAAQ4mJ4WNWvhJxHcVYa9Yc3K8bX7+qJyf4SdgeX8x1efHPGFsjTSYiVRMwUe
    1X8CPcpMdWAlg90ybcXHX9ktRjjq5F3E/5voFmtd2tlKAYELCop4vQd0k0vVRKjb
    ZPQKNpujIzAhMA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgEGMAoGCCqG
    SM49BAMCA2gAMGUCMAOYTMuw5wkqApCjUtUiBpv71/Dg+qeQsFp8nOWd4z+pcWdv
    DnQymUvTXXwxQUGuzAIxAIY0kvSeS2XaZFc1GRmXT6p6vyF6ZLZuuGyCPoV8kBod
    jhqYdvNyXcAep8Vh0aMmtw==
    -----END CERTIFICATE-----
    """
