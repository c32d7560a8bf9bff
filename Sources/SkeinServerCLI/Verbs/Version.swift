import ArgumentParser
import ControlMessages
import NetTypes

struct Version: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Shows the version.")
    @OptionGroup var common: CommonOptions

    func run() {
        let json = JSON.object(
            JSONObject([
                .init("version", .string(SkeinVersion.text)),
                .init("minimumCapabilityVersion", .integer(CapabilityVersion.minimum)),
            ]))
        common.show(json, SkeinVersion.text)
    }
}
