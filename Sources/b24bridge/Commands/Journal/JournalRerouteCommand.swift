import ArgumentParser
import Bridge
import Foundation

struct JournalRerouteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reroute",
        abstract: "Give the parked records of one topic another topic.",
        discussion: """
            For records that were parked because their topic is wrong: it will never exist, or never take them. Their \
            key, headers, value and order stay as they are; the next serve or replay delivers them. The bridge must be \
            stopped. Correct kafka.topic first, or later records go the old way. After a kill -9 the main journal may \
            offer the last second's records to the old topic once more; they are parked again, with the same ids.

              b24bridge journal reroute --config b24bridge.yaml \\
                --from-topic b24.crm.dael --to-topic b24.crm.deal

            A record that the old topic's brokers refused for a reason of its own (it was sent alone and refused) is \
            tried on the new topic like any other. One over kafka.maxRecordBytes gets the new topic too, and waits \
            until that is raised. Records of other topics stay as they are.

            It writes the parked records to a new directory and exchanges the two in one step, so whatever ends it, \
            either everything is as it was or all is done. It needs as much room on the disk as the parked records \
            take, and no quota counts.

            Exit status: 0 done, 1 nothing was changed, 2 bad usage or configuration.
            """
    )

    @OptionGroup var location: JournalLocation

    @Option(name: .long, help: ArgumentHelp("The topic that the parked records have.", valueName: "name"))
    var fromTopic: String

    @Option(name: .long, help: ArgumentHelp("The topic that they get.", valueName: "name"))
    var toTopic: String

    @Flag(name: .long, help: "Only say how many records would change.")
    var dryRun = false

    @Flag(name: .long, help: "Print the result as JSON.")
    var json = false

    func validate() throws {
        if let fault = Reroute.fault(from: fromTopic, to: toTopic) { throw ValidationError(fault) }
    }

    func run() async throws {
        ignoreBrokenPipes()
        let site = try location.inspect()
        let reroute = Reroute(
            directory: site.directory,
            from: fromTopic,
            to: toTopic,
            segmentBytes: try location.segmentBytes()
        )
        if dryRun { site.warnIfInUse() }
        let outcome = try await StopFlag.raisedBySignals { stop in
            try reportingFaults {
                var bar: ReadingBar?
                defer { bar?.finish() }
                func show(_ done: Int, _ total: Int) {
                    if bar == nil { bar = ReadingBar(dryRun ? "counting" : "rerouting", bytes: total) }
                    bar?.update(done)
                }
                return dryRun
                    ? try reroute.count(in: site, progress: show)
                    : try reroute.run(isStopped: { stop.isRaised }, progress: show)
            }
        }
        if json {
            try printJSON(outcome)
        } else {
            try writeToStandardOutput(dryRun ? plan(outcome) : text(outcome))
        }
    }

    private func plan(_ outcome: Reroute.Outcome) -> String {
        "\(outcome.rerouted) of \(outcome.records) parked records would go from \(fromTopic) to \(toTopic). "
            + "Nothing was changed.\n"
    }

    private func text(_ outcome: Reroute.Outcome) -> String {
        var text = "\(outcome.rerouted) of \(outcome.records) parked records go from \(fromTopic) to \(toTopic) now.\n"
        if outcome.oversized > 0 {
            text += "\(outcome.oversized) of them wait until kafka.maxRecordBytes is raised.\n"
        }
        if let reason = outcome.notDurable {
            text += "It is done, but a power loss may take it back: \(reason).\n"
        }
        if let kept = outcome.kept {
            let why = outcome.notDurable == nil ? "hold what could not be read, and " : ""
            text += "The old files \(why)are kept in \(kept).\n"
        }
        if let kept = outcome.keptEarlier {
            text += "An earlier attempt left files that hold what could not be read; they are kept in \(kept).\n"
        }
        return text + "The next serve, or journal replay, delivers them.\n"
    }
}
