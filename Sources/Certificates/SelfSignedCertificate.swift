internal import CX509
package import NetTypes

/// A certificate that vouches for nothing: it carries a name and a number. Its key, Ed25519, is thrown away.
package enum SelfSignedCertificate {
    private static var byteCountMax: Int { 1_024 }

    /// DER. Nil when libcrypto cannot make it.
    ///
    /// - Parameter commonName: ASCII.
    package static func make(
        commonName: String, serial: Int64, from start: Timestamp, until end: Timestamp
    ) -> [UInt8]? {
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: byteCountMax) { buffer, count in
            count = unsafe commonName.withCString { name in
                unsafe cx509_self_signed(
                    name, serial, start.unixSeconds, end.unixSeconds, buffer.baseAddress,
                    buffer.count)
            }
        }
        return bytes.isEmpty ? nil : bytes
    }
}
