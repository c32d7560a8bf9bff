import Certificates
import ControlMessages
import CryptoPrimitives
import NetTypes
package import WebAuthn

/// For tests: a browser and its authenticator in one, with one credential (ES256). What it says can be made
/// wrong in each part, and is signed all the same.
package struct SimulatedAuthenticator: Sendable {
    package var credential: [UInt8]
    package var party: String
    package var origin: String
    package var flags: AuthenticatorData.Flags = [.userPresent, .userVerified]
    /// What it says next when it signs; zero: it does not count.
    package var counter: UInt32 = 0
    package var userHandle: [UInt8] = []
    /// Instead of what belongs to the ceremony.
    package var type: String?
    /// Behind the usual members of the client data, such as `"crossOrigin":true`.
    package var members = "\"crossOrigin\":false"
    /// COSE's number of the algorithm that the public key claims to be for.
    package var algorithm: Int64 = -7
    /// Behind the authenticator data.
    package var trailing: [UInt8] = []

    package init(party: String, origin: String, credential: [UInt8]) {
        self.party = party
        self.origin = origin
        self.credential = credential
    }

    /// Makes its credential.
    package func register(_ challenge: [UInt8]) -> RegistrationResponse {
        let point = Hexadecimal.decode(Self.point) ?? []
        // {1: 2, 3: algorithm, -1: 1, -2: x, -3: y}
        let key: [UInt8] =
            [0xA5, 1, 2, 3] + Self.negative(algorithm) + [0x20, 1, 0x21, 0x58, 32]
            + point.prefix(32) + [0x22, 0x58, 32] + point.suffix(32)
        let data =
            head(flags.union(.attestedCredential), counter: counter)
            + [UInt8](repeating: 0, count: 16) + Self.bigEndian(credential.count) + credential + key
            + trailing
        let attestation =
            [0xA3, 0x63] + Array("fmt".utf8) + [0x64] + Array("none".utf8) + [0x67]
            + Array("attStmt".utf8) + [0xA0, 0x68] + Array("authData".utf8)
            + (data.count < 256 ? [0x58, UInt8(data.count)] : [0x59] + Self.bigEndian(data.count))
            + data
        return RegistrationResponse(
            clientData: clientData("webauthn.create", challenge), attestation: attestation)
    }

    /// Signs with its credential.
    package func sign(_ challenge: [UInt8]) -> AssertionResponse {
        let data = head(flags, counter: counter) + trailing
        let clientData = clientData("webauthn.get", challenge)
        let hash = unsafe SHA256.hash(clientData.span.bytes)
        let message = data + hash.array
        return AssertionResponse(
            credential: credential, clientData: clientData, authenticatorData: data,
            signature: Self.signer.flatMap { unsafe $0.sign(message.span.bytes) } ?? [],
            userHandle: userHandle)
    }

    private func clientData(_ usual: String, _ challenge: [UInt8]) -> [UInt8] {
        Array(
            """
            {"type":"\(type ?? usual)","challenge":"\(Base64URL.encode(challenge))",\
            "origin":"\(origin)",\(members)}
            """.utf8)
    }

    private func head(_ flags: AuthenticatorData.Flags, counter: UInt32) -> [UInt8] {
        let name = Array(party.utf8)
        let hash = unsafe SHA256.hash(name.span.bytes)
        return hash.array + [flags.rawValue]
            + (0..<4).map { UInt8(truncatingIfNeeded: counter >> (24 - 8 * UInt32($0))) }
    }

    private static func bigEndian(_ count: Int) -> [UInt8] {
        [UInt8(truncatingIfNeeded: count >> 8), UInt8(truncatingIfNeeded: count)]
    }

    /// A negative CBOR integer.
    private static func negative(_ value: Int64) -> [UInt8] {
        let argument = Int(-1 - value)
        return argument < 24
            ? [0x20 | UInt8(argument)]
            : argument < 256 ? [0x38, UInt8(argument)] : [0x39] + bigEndian(argument)
    }

    private static let signer: MachineIdentity? = {
        let (certificate, key) = (Array(Self.certificate.utf8), Array(Self.key.utf8))
        // A key that cannot be read signs nothing, which every test notices.
        return unsafe try? MachineIdentity(
            certificates: certificate.span.bytes, key: key.span.bytes)
    }()

    private static let point =
        "ddd5fc11792807254d120139ca6e4c67f45b331dc6fb553dc60af3f6cd8c2a9f"
        + "793cdddf0fcf44568fe0be1d65290590fe9f5ad154d6420674205e5cf5ddf20c"

    private static let certificate = """
        -----BEGIN CERTIFICATE-----
        MIIBnDCCAUGgAwIBAgIUVWb5OSzLtOv2CH8nfvmTTgwH/e8wCgYIKoZIzj0EAwIw
        IjEgMB4GA1UEAwwXU2ltdWxhdGVkIGF1dGhlbnRpY2F0b3IwIBcNMjYxMTI0MTYx
        MzE2WhgPMjEyNjEwMzExNjEzMTZaMCIxIDAeBgNVBAMMF1NpbXVsYXRlZCBhdXRo
        ZW50aWNhdG9yMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE3dX8EXkoByVNEgE5
        ym5MZ/RbMx3G+1U9xgrz9s2MKp95PN3fD89EVo/gvh1lKQWQ/p9a0VTWQgZ0IF5c
        9d3yDKNTMFEwHQYDVR0OBBYEFP0W17V+C16Z4TFUxUM2VE1kj1w0MB8GA1UdIwQY
        MBaAFP0W17V+C16Z4TFUxUM2VE1kj1w0MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZI
        zj0EAwIDSQAwRgIhAIDHf2EQN7vTBsS9pmovg3f/5x6NcYzebzj9vXt28WR3AiEA
        p2/FjlmMa+2QpzL0jfUg7JxpXRkWv5AjaaeP7PPZAao=
        -----END CERTIFICATE-----
        """

    /// Of no use but here.
    private static let key = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgJp43d3lk5/uGBoT1
        6Swceh/zj0hBp5fTZLzr17kE69yhRANCAATd1fwReSgHJU0SATnKbkxn9FszHcb7
        VT3GCvP2zYwqn3k83d8Pz0RWj+C+HWUpBZD+n1rRVNZCBnQgXlz13fIM
        -----END PRIVATE KEY-----
        """
}
