package import NetTypes

/// What a machine with a certificate adds to its registration (control protocol §4.6): the certificate, and a
/// signature by its private key that binds it to this server, this machine key and this moment.
package struct MachineSignature: Equatable, Sendable {
    /// How what is signed is written.
    package enum Scheme: String, Sendable, CaseIterable {
        /// Keys in a short form of five characters, too few to bind anything. Deprecated.
        case v1 = "signature-v1"
        case v2 = "signature-v2"
    }

    /// Nil for a scheme that is not known here.
    package var scheme: Scheme?
    /// Counts to the second.
    package var timestamp: Timestamp
    /// DER, one behind the other, the machine's own first.
    package var certificates: [UInt8]
    package var signature: [UInt8]

    package init(
        scheme: Scheme?, timestamp: Timestamp, certificates: [UInt8], signature: [UInt8]
    ) {
        self.scheme = scheme
        self.timestamp = timestamp
        self.certificates = certificates
        self.signature = signature
    }

    /// What is signed, with SHA-256 as digest.
    ///
    /// - Parameters:
    ///   - serverURL: as the node has it configured, without a slash at the end.
    ///   - serverKey: the legacy key of the server, which is zero for every server that speaks Noise.
    package static func signedBytes(
        _ scheme: Scheme, timestamp: Timestamp, serverURL: String, certificates: [UInt8],
        serverKey: MachineKey = .zero, machineKey: MachineKey
    ) -> [UInt8] {
        let keys =
            switch scheme {
            case .v1: logForm(of: serverKey) + logForm(of: machineKey)
            case .v2: serverKey.description + machineKey.description
            }
        let time = Timestamp(unixSeconds: timestamp.unixSeconds)
        return Array(time.description.utf8) + Array(serverURL.utf8) + certificates
            + Array(keys.utf8)
    }

    /// The first five characters of the base64 form in brackets; nothing for zero.
    private static func logForm(of key: MachineKey) -> String {
        key.isZero ? "" : "[\(Base64Bytes(key.bytes.array).text.prefix(5))]"
    }
}

extension MachineSignature {
    /// Nil when the request has neither certificate nor signature, as most have.
    init?(in request: JSONObject) throws(MessageDecodingError) {
        let certificates: Base64Bytes? = try request.optional("DeviceCert")
        let signature: Base64Bytes? = try request.optional("Signature")
        guard certificates?.bytes.isEmpty == false || signature?.bytes.isEmpty == false else {
            return nil
        }
        let scheme: String = try request.read("SignatureType", or: "")
        self.init(
            scheme: Scheme(rawValue: scheme),
            timestamp: try request.read("Timestamp", or: .zero),
            certificates: certificates?.bytes ?? [], signature: signature?.bytes ?? [])
    }

    /// Writes members of a request.
    func write(into request: inout JSONWriter) {
        if let scheme { request.keep("SignatureType", scheme.rawValue) }
        request.keep("Timestamp", timestamp)
        request.keep("DeviceCert", Base64Bytes(certificates))
        request.keep("Signature", Base64Bytes(signature))
    }
}
