import ArgumentParser
import Bridge

struct SubscriptionsApplyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply",
        abstract: "Have done now what plan shows.",
        discussion: """
            A running bridge does it by itself within a day; this is for whoever does not want to wait. New bindings are made \
            before old ones are taken away, so that no event is missed. It may be interrupted with Ctrl-C and repeated: what is \
            done is done.

              b24bridge subscriptions apply --config b24bridge.yaml

            Exit status: 0 every portal is as declared, 1 some are not (each is named with the reason), 2 bad usage or \
            configuration.
            """
    )

    @OptionGroup var configuration: ConfigurationOptions
    @OptionGroup var choice: PortalChoice
    @OptionGroup var asking: AskingOptions

    @Flag(name: .long, help: "Print a JSON array with an object for each portal.")
    var json = false

    func run() async throws {
        ignoreBrokenPipes()
        let settings = try LoadedConfiguration.load(configuration).settings
        let (answers, isStopped) = try await asking.withRegistry(settings) { registry in
            let portals = try choice.portals(of: registry)
            return await PortalAnswer.ask(.apply, "applying", portals, registry, patience: asking.patience)
        }
        if json { try printJSON(answers.map(PlanJSON.init)) }
        var (bound, unbound, left) = (0, 0, 0)
        for answer in answers {
            guard let plan = answer.report?.plan, let rest = answer.report?.rest else { continue }
            bound += max(0, plan.bind.count - rest.missing.count)
            unbound += max(0, plan.unbind.count - rest.surplus.count)
            left += rest.missing.count + rest.surplus.count
            if !json { try writeToStandardOutput(Self.text(answer.portal, plan, rest)) }
        }
        PortalAnswer.sayFaults(answers)
        let done = answers.count { $0.report?.rest != nil }
        var words = "applied: \(bound) bound, \(unbound) unbound on \(done) of \(answers.count) portals"
        if left > 0 { words += "; \(left) could not be made as declared" }
        if isStopped, done < answers.count { words += "; stopped, run it again for the rest" }
        writeToStandardError(words + "\n")
        if done < answers.count || left > 0 { throw ExitCode.failure }
    }

    /// What was done, and what is left. Nothing of a portal that needed nothing.
    private static func text(
        _ portal: RegisteredPortal,
        _ plan: PortalReport.Plan,
        _ rest: PortalReport.Rest
    ) -> String {
        var lines: [String] = []
        let failures = Dictionary(rest.failures.map { ($0.event, $0) }) { first, _ in first }
        for line in plan.bind where !rest.missing.contains(line) {
            lines.append("  + bound    \(PlanText.words(line))")
        }
        for line in plan.unbind where !rest.surplus.contains(line) {
            lines.append("  - unbound  \(PlanText.words(line))")
        }
        for line in rest.missing {
            let reason = failures[line.event].map { "\($0.code): \($0.message)" }
            lines.append("  ! missing  \(PlanText.words(line)): \(reason ?? Self.boundForOne)")
        }
        for line in rest.surplus { lines.append("  ! left     \(PlanText.words(line))") }
        return lines.isEmpty ? "" : "\(portal.shownName)\n" + lines.joined(separator: "\n") + "\n"
    }

    private static let boundForOne =
        "Bitrix24 took it, and does not show it; the user in whose name the bridge calls may be no administrator"
}
