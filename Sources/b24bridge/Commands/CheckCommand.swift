import ArgumentParser
import Bitrix24
import Bridge
import Foundation
import Journal
import KafkaClient

struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check the configuration, the journal's directory and the way to Kafka.",
        discussion: """
            Reads the configuration as serve would, opens the journal's directory for a moment, and asks the Kafka \
            cluster for its brokers and for the topics that the configuration leads to. With kafka.oauth it asks for a \
            token, and it fetches the lists that http.allowedNetworks names. Nothing is sent. Run it before serve, or beside a running one: a journal in use is then said to be so and is no fault.

              b24bridge check --config b24bridge.yaml

            Exit status: 0 all is well (warnings count as well), 1 something is not, 2 bad usage or configuration.
            """
    )

    @OptionGroup var configuration: ConfigurationOptions

    @Option(name: .long, help: ArgumentHelp("Seconds to wait for Kafka, 1 to 300.", valueName: "seconds"))
    var timeout: Int = 10

    @Flag(name: .long, help: "Print the findings as a JSON array of {grade, subject, text}.")
    var json = false

    func validate() throws {
        guard (1...300).contains(timeout) else { throw ValidationError("--timeout takes 1 to 300 seconds") }
    }

    func run() async throws {
        let loaded = try LoadedConfiguration.load(configuration)
        let check = BridgeCheck(settings: loaded.settings, portals: loaded.portals, timeout: .seconds(timeout))
        let unused = loaded.unusedEnvironment.map {
            BridgeCheck.Finding(
                grade: .warning,
                subject: "environment",
                text: "\($0) names no key; correct or remove it"
            )
        }
        let findings = unused + (await check.runOutbound()) + check.run()
        if json {
            try printJSON(findings)
        } else {
            for finding in findings {
                try writeToStandardOutput("\(finding.mark)  \(finding.subject): \(finding.text)\n")
            }
        }
        if findings.contains(where: { $0.grade == .failure }) { throw ExitCode.failure }
    }
}

extension BridgeCheck.Finding {
    fileprivate var mark: String {
        switch grade {
        case .good: "ok     "
        case .warning: "warning"
        case .failure: "FAILED "
        }
    }
}
