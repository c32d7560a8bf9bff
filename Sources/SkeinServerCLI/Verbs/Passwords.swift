import ArgumentParser
import ControlMessages
import ControlServer
import CryptoPrimitives
import NetTypes
import SignIn

struct Passwords: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "How passwords are hashed.", subcommands: [Measure.self])

    /// 100 to 300 ms: long enough to slow guessing down, short enough for people who wait.
    struct Measure: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Says how long a password's hash takes on this machine.",
            discussion: "It should take 100 to 300 ms: see password_passes in docs/accounts.md.")
        @OptionGroup var common: CommonOptions

        func run() async throws {
            let cost = try common.configuration().signIn.passwordCost
            var times: [Double] = []
            for _ in 0..<5 {
                let start = ContinuousClock.now
                guard PasswordHash.make("correct horse battery staple", cost: cost) != nil else {
                    throw CommandFailure("there is not enough memory for a hash")
                }
                let time = ContinuousClock.now - start
                times.append(
                    Double(time.components.seconds) * 1000
                        + Double(time.components.attoseconds) * 1e-15)
            }
            let median = times.sorted()[2]
            // The time is that of the passes.
            let aim = max(1, Int((Double(cost.passes) * 180 / median).rounded()))
            let advice =
                (100...300).contains(median)
                ? "That is right."
                : "Write password_passes = \(aim) under [accounts] for about 180 ms."
            let memory = cost.memory >> 20
            let json = JSONObject([
                .init("passes", .integer(Int(cost.passes))), .init("memory", .integer(cost.memory)),
                .init("milliseconds", .integer(Int(median.rounded()))),
                .init(
                    "advised_passes",
                    .integer((100...300).contains(median) ? Int(cost.passes) : aim)),
            ])
            common.show(
                .object(json),
                "\(cost.passes) passes over \(memory) MiB take \(Int(median.rounded())) ms. \(advice)"
            )
        }
    }
}
