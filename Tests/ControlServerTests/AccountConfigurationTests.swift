import ControlServer
import CryptoPrimitives
import NetTypes
import SignIn
import Testing

@Suite struct AccountConfigurationTests {
    @Test("Every key of [accounts] is read")
    func keys() throws {
        let text = """
            [accounts]
            local = false
            second_factor = "required"
            issuer = "My net"
            session_idle = "30m"
            session_lifetime = "1d"
            minimum_password_length = 16
            passkeys = false
            password_passes = 5
            """
        let configuration = try ServerConfiguration(toml: text, file: "c.toml")
        let signIn = configuration.signIn
        #expect(!configuration.hasPasskeys)
        #expect(signIn.passwordCost.passes == 5)
        #expect(!signIn.hasLocalAccounts && signIn.requiresSecondFactor)
        #expect(signIn.issuer == "My net" && signIn.minimumPasswordLength == 16)
        #expect(signIn.sessionIdle == .minutes(30) && signIn.sessionLifetime == .minutes(1440))
    }

    @Test(
        "What makes no sense is refused with its line",
        arguments: [
            "second_factor = \"yes\"", "issuer = \"a:b\"", "session_idle = \"5s\"",
            "minimum_password_length = 4", "password_passes = 0", "local = \"yes\"",
            "password = \"x\"",
        ])
    func refused(line: String) {
        let error = #expect(throws: ConfigurationError.self) {
            try ServerConfiguration(toml: "[accounts]\n\(line)\n", file: "c.toml")
        }
        #expect(error?.line == 2)
    }
}
