import ArgumentParser
import Bridge

struct SubscriptionsPlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Show what would be bound and unbound.",
        discussion: """
            Nothing is changed. A plan reads like this:

              a223c6b3710f85df22e9377d6c4f7553 (acme.bitrix24.com)
                + bind    ONCRMDEALADD → https://bridge.example/b24/events/a223c6b3710f85df22e9377d6c4f7553
                - unbind  ONCRMLEADADD → https://bridge.example/b24/events/a223c6b3710f85df22e9377d6c4f7553
                1 to bind, 1 to unbind, 3 unchanged; 2 of others, left as they are

              b24bridge subscriptions plan --config b24bridge.yaml

            Exit status: 0 all portals were asked, whether or not something is to be done, 1 failure, or with --exit-code \
            something is to be done, 2 bad usage or configuration.
            """
    )

    @OptionGroup var configuration: ConfigurationOptions
    @OptionGroup var choice: PortalChoice
    @OptionGroup var asking: AskingOptions

    @Flag(name: .long, help: "Exit with 1 also when something is to be done.")
    var exitCode = false

    @Flag(name: .long, help: "Print a JSON array with an object for each portal.")
    var json = false

    func run() async throws {
        ignoreBrokenPipes()
        let settings = try LoadedConfiguration.load(configuration).settings
        let answers = try await asking.withRegistry(settings) { registry in
            let portals = try choice.portals(of: registry)
            return await PortalAnswer.ask(.plan, "asking", portals, registry, patience: asking.patience).answers
        }
        let plans = answers.compactMap { answer in answer.report?.plan.map { (answer.portal, $0) } }
        if json {
            try printJSON(answers.map(PlanJSON.init))
        } else {
            // What needs nothing is counted only, unless it was asked for.
            let shown = plans.filter { !choice.portal.isEmpty || $0.1.changes > 0 }
            try writeToStandardOutput(shown.map { PlanText.text($0, $1) }.joined(separator: "\n"))
        }
        PortalAnswer.sayFaults(answers)
        let counts = PlanText.counts(
            plans.reduce(0) { $0 + $1.1.bind.count },
            plans.reduce(0) { $0 + $1.1.unbind.count },
            plans.reduce(0) { $0 + $1.1.unchanged }
        )
        writeToStandardError("plan: \(counts) on \(plans.count) of \(answers.count) portals\n")
        if plans.count < answers.count { throw ExitCode.failure }
        if exitCode, plans.contains(where: { $0.1.changes > 0 }) { throw ExitCode.failure }
    }
}

extension PortalReport.Plan {
    var changes: Int { bind.count + unbind.count }
}
