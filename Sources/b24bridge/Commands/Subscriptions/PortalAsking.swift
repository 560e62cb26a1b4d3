import ArgumentParser
import Bridge
import Foundation

/// How the owner of the REST work is asked.
struct AskingOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp("Seconds to wait for Kafka, and for a bridge to answer, 1 to 600.", valueName: "seconds")
    )
    var timeout: Int = 30

    func validate() throws {
        guard (1...600).contains(timeout) else { throw ValidationError("--timeout takes 1 to 600 seconds") }
    }

    var patience: Duration { .seconds(timeout) }

    /// Runs `body` with the registry as Kafka has it.
    ///
    /// - Throws: `ExitCode` after it has said what is wrong.
    func withRegistry<Value>(
        _ settings: BridgeSettings,
        _ body: (PortalRegistry) async throws -> Value
    ) async throws -> Value {
        try await settings.withRegistry(patience: patience, body)
    }
}

/// Which portals are asked.
struct PortalChoice: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp("This portal only. Repeatable. Default: all with the application.", valueName: "member_id")
    )
    var portal: [String] = []

    /// In order of their ids.
    ///
    /// - Throws: `ExitCode` after it has named those that are not in the registry.
    func portals(of registry: PortalRegistry) throws -> [RegisteredPortal] {
        guard portal.isEmpty else { return try portal.map { try Self.portal($0, of: registry) } }
        return registry.installedPortals
    }

    static func portal(_ memberID: String, of registry: PortalRegistry) throws -> RegisteredPortal {
        guard let portal = registry.portal(memberID) else {
            throw usage("the registry knows no portal \(memberID); see b24bridge portals list")
        }
        return portal
    }
}

extension RegisteredPortal {
    /// For people.
    var shownName: String { installation.map { "\(memberID) (\($0.domain))" } ?? memberID }
}

extension PortalReport.Fault {
    var words: String { code == "no_tokens" ? message : "\(code): \(message)" }
}

/// What came of one order at one portal.
struct PortalAnswer {
    let portal: RegisteredPortal
    var report: PortalReport?
    /// Why there is none, or none that is whole.
    var error: PortalReport.Fault?

    init(_ portal: RegisteredPortal, _ answer: PortalOrders.Answer?) {
        self.portal = portal
        switch answer {
        case .report(let report): (self.report, error) = (report, report.error)
        case .nothing(let words): error = .init(code: "no_answer", message: words)
        case nil: error = .init(code: "stopped", message: "stopped before it was asked")
        }
    }

    init(_ portal: RegisteredPortal, error: PortalReport.Fault?) {
        self.portal = portal
        self.error = error
    }

    /// Asks all, with a progress bar. Ctrl-C ends it with what there is by then.
    static func ask(
        _ kind: RegisteredPortal.Order.Kind,
        _ title: String,
        _ portals: [RegisteredPortal],
        _ registry: PortalRegistry,
        patience: Duration
    ) async -> (answers: [PortalAnswer], isStopped: Bool) {
        await StopFlag.raisedBySignals { stop in
            var answers: [String: PortalOrders.Answer] = [:]
            var bar = ProgressBar(title, total: portals.count)
            bar.update(0, "0 of \(portals.count)")
            await PortalOrders(registry, patience: patience).carryOut(
                kind,
                at: portals.map(\.memberID),
                isStopped: { stop.isRaised }
            ) { memberID, answer in
                answers[memberID] = answer
                bar.update(answers.count, "\(answers.count) of \(portals.count)")
            }
            bar.finish()
            return (portals.map { PortalAnswer($0, answers[$0.memberID]) }, stop.isRaised)
        }
    }

    /// The same words of many portals said once.
    static func sayFaults(_ answers: [PortalAnswer]) {
        var portals: [String: [String]] = [:]
        for answer in answers {
            if let error = answer.error { portals[error.words, default: []].append(answer.portal.shownName) }
        }
        for (words, names) in portals.sorted(by: { $0.value[0] < $1.value[0] }) {
            let shown =
                names.prefix(5).joined(separator: ", ") + (names.count > 5 ? " and \(names.count - 5) more" : "")
            writeToStandardError("\(shown): \(words)\n")
        }
    }
}
