import CryptoPrimitives
import NetTypes
import SignIn

extension ServerConfiguration {
    /// The table `[accounts]`.
    mutating func readAccounts(_ reader: ConfigurationReader) throws(ConfigurationError) {
        if let isOn = try reader.bool("accounts.local") { signIn.hasLocalAccounts = isOn }
        switch try reader.string("accounts.second_factor") {
        case nil, "optional": break
        case "required": signIn.requiresSecondFactor = true
        case let other?:
            throw reader.error("accounts.second_factor", other, "write optional or required")
        }
        if let isOn = try reader.bool("accounts.passkeys") { hasPasskeys = isOn }
        if let issuer = try reader.string("accounts.issuer") {
            guard (1...64).contains(issuer.count), !issuer.contains(":") else {
                throw reader.error(
                    "accounts.issuer", issuer, "write 1 to 64 characters without a colon")
            }
            signIn.issuer = issuer
        }
        if let length = try reader.integer("accounts.minimum_password_length", in: 8...128) {
            signIn.minimumPasswordLength = length
        }
        if let passes = try reader.integer("accounts.password_passes", in: 1...100) {
            signIn.passwordCost = .init(
                passes: UInt64(passes), memory: signIn.passwordCost.memory)
        }
        if let idle = try duration("accounts.session_idle", reader) { signIn.sessionIdle = idle }
        if let lifetime = try duration("accounts.session_lifetime", reader) {
            signIn.sessionLifetime = lifetime
        }
    }

    private func duration(
        _ path: String, _ reader: ConfigurationReader
    ) throws(ConfigurationError) -> Nanoseconds? {
        guard let duration = try reader.duration(path) else { return nil }
        guard duration >= .minutes(1) else {
            throw reader.error(path, "\(duration.inSeconds) s", "write 1m or longer")
        }
        return duration
    }
}
