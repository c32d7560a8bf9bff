import ArgumentParser
import ControlMessages
import ControlServer
import Logging

struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Says what is wrong with the configuration, and with the providers it names.",
        discussion: "Ends with status 1 when there is a problem; warnings alone are none.")
    @OptionGroup var common: CommonOptions

    func run() async throws {
        let findings = await Doctor(
            try common.configuration(),
            logger: Logger(label: "doctor") { _ in SwiftLogNoOpLogHandler() }
        ).examine()
        let json = JSON.array(
            findings.map { finding in
                .object(
                    JSONObject([
                        .init("severity", .string(finding.severity.rawValue)),
                        .init("subject", .string(finding.subject)),
                        .init("text", .string(finding.text)),
                    ]))
            })
        common.show(json, findings.map(\.description).joined(separator: "\n"))
        if findings.contains(where: { $0.severity == .bad }) { throw ExitCode(1) }
    }
}
