internal import CX509
package import NetTypes

/// The authorities whose certificates count, and what they revoked. It does not change once it is made:
/// new files make a new one.
// Unchecked because of the pointer: libcrypto's store is filled in init, before another thread can see it,
// and locks by itself whatever it still changes while paths are built.
@safe
package final class TrustStore: @unchecked Sendable {
    private let pointer: OpaquePointer
    /// When the first of the revocation lists is out of date; nil without lists.
    package let nextRevocationUpdate: Timestamp?

    /// A PEM (or, for lists, DER) file that cannot be used.
    package struct FileFault: Error, Equatable {
        /// Index in the list that was given.
        package var index: Int
        package var isRevocationList: Bool
        package var fault: CertificateFault

        package init(index: Int, isRevocationList: Bool, fault: CertificateFault) {
            self.index = index
            self.isRevocationList = isRevocationList
            self.fault = fault
        }
    }

    /// - Parameters:
    ///   - authorities: PEM texts; each certificate in them is trusted by itself, be it a root or not.
    ///   - revocationLists: PEM or DER. When there are any, a machine's certificate needs a current list
    ///     of its issuer.
    package init(
        authorities: [[UInt8]], revocationLists: [[UInt8]] = []
    ) throws(FileFault) {
        guard let trust = unsafe cx509_trust_new() else {
            preconditionFailure("libcrypto must make a store")
        }
        var next = Int64.max
        var fault: FileFault?
        for (index, pem) in authorities.enumerated() where fault == nil {
            let bytes = unsafe pem.span.bytes
            let status = unsafe bytes.pointer {
                unsafe cx509_trust_add_authorities(trust, $0, bytes.byteCount)
            }
            if status < 0 {
                fault = FileFault(
                    index: index, isRevocationList: false, fault: CertificateFault(-status))
            }
        }
        for (index, list) in revocationLists.enumerated() where fault == nil {
            let bytes = unsafe list.span.bytes
            var update = Int64.max
            let status = unsafe bytes.pointer {
                unsafe cx509_trust_add_revocations(trust, $0, bytes.byteCount, &update)
            }
            next = min(next, update)
            if status < 0 {
                fault = FileFault(
                    index: index, isRevocationList: true, fault: CertificateFault(-status))
            }
        }
        unsafe pointer = trust
        nextRevocationUpdate = next == .max ? nil : Timestamp(unixSeconds: next)
        if let fault { throw fault }
    }

    deinit { unsafe cx509_trust_free(pointer) }

    /// Finds a path from the leaf to an authority and checks it as of `now`.
    ///
    /// - Returns: the hashes of the keys on it, as `LeafCertificate.keyHash`, the leaf's first.
    package func check(
        _ chain: CertificateChain, at now: Timestamp
    ) throws(CertificateFault) -> [Bytes32] {
        try unsafe chain.check(in: pointer, at: now)
    }
}
