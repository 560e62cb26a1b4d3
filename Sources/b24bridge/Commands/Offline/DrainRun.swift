import ArgumentParser
import Bitrix24
import Bridge

/// What a drain that somebody ordered came to, for people and machines.
struct DrainRun {
    private let portals: [RegisteredPortal]
    private let outcomes: [DrainRounds.Outcome]
    /// What was changed then or later was to be recovered. `nil`: it was to be drained only.
    private let since: Timestamp?
    private let isOnce: Bool
    private let isStopped: Bool

    /// With a progress bar over the portals, and the rows behind it. Ctrl-C ends it with what there is by then.
    static func run(
        _ portals: [RegisteredPortal],
        _ registry: PortalRegistry,
        since: Timestamp? = nil,
        isOnce: Bool = false,
        patience: Duration
    ) async -> DrainRun {
        await StopFlag.raisedBySignals { stop in
            var bar = ProgressBar(since == nil ? "draining" : "recovering", total: portals.count)
            bar.update(0, "0 rows, 0 of \(counted(portals.count, "portal"))")
            let outcomes = await DrainRounds(PortalOrders(registry, patience: patience)).run(
                at: portals.map(\.memberID),
                since: since?.milliseconds,
                isOnce: isOnce,
                isStopped: { stop.isRaised }
            ) { outcomes in
                let done = outcomes.count { !$0.isOpen }
                let rows = outcomes.reduce(0) { $0 + $1.rows }
                bar.update(done, "\(counted(rows, "row")), \(done) of \(counted(portals.count, "portal"))")
            }
            bar.finish()
            return DrainRun(
                portals: portals,
                outcomes: outcomes,
                since: since,
                isOnce: isOnce,
                isStopped: stop.isRaised
            )
        }
    }

    /// Each portal on standard output, and what is to be said of them on standard error.
    ///
    /// - Throws: `ExitCode` when not all came out as it was ordered.
    func tell(json: Bool) throws {
        try print(json: json)
        PortalAnswer.sayFaults(
            zip(portals, outcomes).map { portal, outcome in
                PortalAnswer(portal, error: outcome.fault)
            }
        )
        writeToStandardError("\(since == nil ? "drained" : "recovered"): \(words)\n")
        if let since { writeToStandardError(lost(since: since.rfc3339)) }
        let isGood = outcomes.allSatisfy { $0.isEmpty || isOnce && $0.isOpen && !isStopped }
        if !isGood { throw ExitCode.failure }
    }

    private func print(json: Bool) throws {
        let isRecovery = since != nil
        if json {
            for (portal, outcome) in zip(portals, outcomes) {
                guard try printJSONLine(DrainJSON(portal, outcome)) else { return }
            }
        } else if !outcomes.isEmpty {
            var table = TextTable(
                [("portal", .left), ("rows", .right)] + (isRecovery ? [("recovered", .right)] : [])
                    + [("dead letters", .right), ("queue", .left)]
            )
            for (portal, outcome) in zip(portals, outcomes) {
                table.add(
                    [portal.shownName, "\(outcome.rows)"] + (isRecovery ? ["\(outcome.recovered)"] : [])
                        + ["\(outcome.deadLettered)", outcome.queue]
                )
            }
            try writeToStandardOutput(table.text)
        }
    }

    private var words: String {
        if outcomes.isEmpty { return "nothing; no portal has offline events" }
        let rows = outcomes.reduce(0) { $0 + $1.rows }
        let dead = outcomes.reduce(0) { $0 + $1.deadLettered }
        let empty = outcomes.count(where: \.isEmpty)
        var words = "\(counted(rows, "row")); \(empty) of \(counted(outcomes.count, "queue")) empty"
        if dead > 0 {
            words += "; \(counted(dead, "row")) became dead letters, see b24bridge dead-letters list"
        }
        if outcomes.contains(where: \.isOpen) {
            words += isStopped ? "; stopped, the bridge goes on by itself" : "; the bridge goes on by itself"
        }
        return words
    }

    /// What no queue has. Empty if there is nothing of the kind.
    private func lost(since: String) -> String {
        var names: [[String]: [String]] = [:]
        for (portal, outcome) in zip(portals, outcomes) where !outcome.onlineOnly.isEmpty {
            names[outcome.onlineOnly, default: []].append(portal.shownName)
        }
        guard !names.isEmpty else { return "" }
        var text =
            "\nNot to be got back are events that are declared online only: Bitrix24 posts them once and keeps none.\n"
        for (codes, portals) in names.sorted(by: { $0.value[0] < $1.value[0] }) {
            let others = portals.count > 3 ? " and \(portals.count - 3) more" : ""
            text += "  \(codes.joined(separator: ", "))\n    at \(portals.prefix(3).joined(separator: ", "))\(others)\n"
        }
        text += """
            Read instead the objects that were changed since \(since), by their list methods with a filter by the date of
            change: crm.deal.list with filter[>=DATE_MODIFY], crm.item.list with filter[>=updatedTime], tasks.task.list with
            filter[>=CHANGED_DATE]. What was deleted is in no list. Events that are declared in subscriptions.offline are kept
            the next time.

            """
        return text
    }
}

extension DrainRounds.Outcome {
    fileprivate var fault: PortalReport.Fault? {
        error ?? (isStuck ? PortalReport.Fault(code: "no_progress", message: Self.noProgress) : nil)
    }

    private static let noProgress =
        "no row could be fetched; b24bridge offline status shows how many calls are left, and /status of the bridge whether it "
        + "pauses"

    fileprivate var queue: String { isEmpty ? "empty" : fault != nil ? "failed" : "more is left" }
}

private struct DrainJSON: Encodable {
    let memberId: String
    let domain: String?
    let rows: Int
    let recovered: Int
    let deadLettered: Int
    let empty: Bool
    let onlineOnly: [String]
    let error: PortalReport.Fault?

    init(_ portal: RegisteredPortal, _ outcome: DrainRounds.Outcome) {
        memberId = portal.memberID
        domain = portal.installation?.domain
        (rows, recovered, deadLettered) = (outcome.rows, outcome.recovered, outcome.deadLettered)
        empty = outcome.isEmpty
        onlineOnly = outcome.onlineOnly
        error = outcome.fault
    }
}
