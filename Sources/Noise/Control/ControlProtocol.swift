internal import NetTypes

/// Numbers of the control channel's handshake and records (control protocol, "Noise handshake").
package enum ControlProtocol {
    static let name = "Noise_IK_25519_ChaChaPoly_BLAKE2s"

    /// Version, type, length, ephemeral key, sealed machine key, tag.
    package static var initiationByteCount: Int { 101 }
    /// Type, length, ephemeral key, tag.
    package static var responseByteCount: Int { 51 }
    /// Type and length of every frame but the initiation.
    package static var headerByteCount: Int { 3 }
    /// The longest frame, its header included.
    package static var maximumFrameByteCount: Int { 4096 }
    /// The most plaintext one record carries.
    package static var maximumPlaintextByteCount: Int { 4077 }

    /// Bytes in front of the initiation's ephemeral key: version, type, length.
    static var initiationHeaderByteCount: Int { 5 }
    static var sealedKeyByteCount: Int { 48 }

    static func prologue(version: UInt16) -> [UInt8] {
        Array("Tailscale Control Protocol v\(version)".utf8)
    }
}
