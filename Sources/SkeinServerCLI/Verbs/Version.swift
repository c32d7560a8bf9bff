import ArgumentParser
import ControlMessages

struct Version: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Shows the version.")
    @OptionGroup var common: CommonOptions

    /// Of the programs of this package.
    static let number = "0.1.0"

    func run() {
        let json = JSON.object(
            JSONObject([
                .init("version", .string(Self.number)),
                .init("minimumCapabilityVersion", .integer(CapabilityVersion.minimum)),
            ]))
        common.show(json, Self.number)
    }
}
