import CBOR
import ControlMessages
import Foundation
import NetTypes
import Testing
import WebAuthn

/// The test vectors of "Web Authentication: Level 3" (Tests/Fixtures/webauthn).
struct Vector: Sendable, CustomStringConvertible {
    var name: String
    var registration: [String: [UInt8]]
    var authentication: [String: [UInt8]]
    var description: String { name }

    static let all: [Vector] = {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Fixtures/webauthn/vectors.json")
        let json = try! JSON(parsing: Array(try! Data(contentsOf: file)))
        return json.array!.map { vector in
            let object = vector.object!
            return Vector(
                name: object["name"]!.string!, registration: bytes(object["registration"]!),
                authentication: bytes(object["authentication"]!))
        }
    }()

    private static func bytes(_ json: JSON) -> [String: [UInt8]] {
        Dictionary(
            uniqueKeysWithValues: json.object!.members.map {
                ($0.name, Hexadecimal.decode($0.value.string!)!)
            })
    }

    /// Registers, then authenticates with what was registered.
    func run() throws -> (NewCredential, Assertion) {
        let party = RelyingParty(serverURL: "https://example.org", name: "Test")!
        let credential = try party.register(
            RegistrationResponse(
                clientData: registration["clientDataJSON"]!,
                attestation: registration["attestationObject"]!),
            challenge: registration["challenge"]!)
        let assertion = try party.authenticate(
            AssertionResponse(
                credential: credential.id, clientData: authentication["clientDataJSON"]!,
                authenticatorData: authentication["authenticatorData"]!,
                signature: authentication["signature"]!),
            challenge: authentication["challenge"]!,
            with: KnownCredential(
                publicKey: credential.publicKey, counter: credential.counter,
                isBackupEligible: credential.isBackupEligible),
            requiresUserVerification: false)
        return (credential, assertion)
    }
}

@Suite struct VectorTests {
    private static let refused: [String: PasskeyFault] = [
        "packed-es384": .unsupportedKey, "packed-es512": .unsupportedKey,
        "packed-ed448": .unsupportedKey, "none-es256-crossOrigin": .crossOrigin,
        "none-es256-topOrigin": .crossOrigin,
    ]

    @Test("What the W3C registers and signs is accepted", arguments: Vector.all)
    func vector(_ vector: Vector) throws {
        if let fault = Self.refused[vector.name] {
            #expect(throws: fault) { try vector.run() }
            return
        }
        let (credential, assertion) = try vector.run()
        #expect(credential.id == vector.registration["credential_id"])
        let flags = vector.authentication["authenticatorData"]![32]
        #expect(assertion.isUserVerified == (flags & 4 != 0))
        #expect(assertion.isBackedUp == (flags & 16 != 0))
        #expect(assertion.counter == 0)
    }

    @Test("Fifteen vectors are there, of all three kinds of keys")
    func count() {
        #expect(Vector.all.count == 15)
        #expect(Vector.all.contains { $0.name == "packed-rs256" })
        #expect(Vector.all.contains { $0.name == "packed-eddsa" })
    }

    @Test(
        "No bit of a signed answer can be changed",
        arguments: ["none-es256", "packed-rs256", "packed-eddsa"])
    func everyBit(name: String) throws {
        let vector = Vector.all.first { $0.name == name }!
        for part in ["authenticatorData", "clientDataJSON", "signature"] {
            for index in vector.authentication[part]!.indices {
                var changed = vector
                changed.authentication[part]![index] ^= 1 << UInt8(index % 8)
                #expect(throws: PasskeyFault.self, "\(part) \(index)") { try changed.run() }
            }
        }
    }

    @Test("A registration cut short anywhere is refused")
    func cut() throws {
        let vector = Vector.all.first { $0.name == "packed-es256" }!
        for part in ["attestationObject", "clientDataJSON"] {
            for count in 0..<vector.registration[part]!.count {
                var changed = vector
                changed.registration[part]!.removeLast(changed.registration[part]!.count - count)
                #expect(throws: PasskeyFault.self) { try changed.run() }
            }
        }
    }
}
