package import NetTypes

/// The reply to `GET /key` (control protocol §2.1).
package struct ServerKeys: Equatable, Sendable {
    /// Zero when the server speaks Noise only.
    package var legacyPublicKey: MachineKey
    /// The static key of the server's Noise.
    package var publicKey: MachineKey

    package init(publicKey: MachineKey) {
        legacyPublicKey = .zero
        self.publicKey = publicKey
    }
}

extension ServerKeys: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        let object = try JSONObject(json: json)
        legacyPublicKey = try object.read("legacyPublicKey", or: .zero)
        publicKey = try object.read("publicKey", or: .zero)
    }
    package func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.keep("legacyPublicKey", legacyPublicKey)
            writer.keep("publicKey", publicKey)
        }
    }
}

/// What a server may send right after the Noise handshake (control protocol §3).
package struct EarlyNoise: Equatable, Sendable {
    package var nodeKeyChallenge: ChallengeKey

    package init(nodeKeyChallenge: ChallengeKey) { self.nodeKeyChallenge = nodeKeyChallenge }
}

extension EarlyNoise: JSONReadable, JSONWritable {
    package init(json: JSON) throws(MessageDecodingError) {
        nodeKeyChallenge = try JSONObject(json: json).read("nodeKeyChallenge", or: .zero)
    }
    package func write(to writer: inout JSONWriter) {
        writer.object { $0.keep("nodeKeyChallenge", nodeKeyChallenge) }
    }
}
