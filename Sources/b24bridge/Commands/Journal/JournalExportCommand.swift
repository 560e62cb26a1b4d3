import ArgumentParser
import Bridge
import Foundation

struct JournalExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Print the records of a journal as JSON, one a line.",
        discussion: """
            Each line is {"journal","position","appendedAt","delivered","topic","key","headers","value"}, the value as \
            it goes to Kafka; "oversized" or "refused" is true on records that are parked for a reason of their own. \
            The parked journal has positions and times of its own: those of the parking. In the main journal \
            "delivered" is also true of what was parked.

              b24bridge journal export --config b24bridge.yaml \\
                --undelivered > undelivered.ndjson
              b24bridge journal export --directory /mnt/journal --parked \\
                --topic bitrix24.crm.deal

            Exit status: 0 all is printed, 1 something could not be read (the rest is printed), 2 bad usage or \
            configuration.
            """
    )

    @OptionGroup var location: JournalLocation
    @OptionGroup var selection: RecordSelection

    @Flag(name: .long, help: "Only what the checkpoint does not cover.")
    var undelivered = false

    @Flag(name: .long, help: "Only the main journal.")
    var main = false

    @Flag(name: .long, help: "Only the parked records.")
    var parked = false

    @Flag(name: .long, help: "Changes nothing: this command prints JSON anyway.")
    var json = false

    func run() throws {
        ignoreBrokenPipes()
        let site = try location.inspect()
        site.warnIfInUse()
        var journals: Set<JournalName> = []
        if main || !parked { journals.insert(.main) }
        if parked || !main { journals.insert(.parked) }
        let export = RecordExport(site, journals: journals, filter: selection.filter, undeliveredOnly: undelivered)
        // On a terminal the lines themselves show that it goes on.
        var bar = isatty(STDOUT_FILENO) == 1 ? nil : ReadingBar("exporting", bytes: export.bytes)
        let summary = try reportingFaults {
            defer { bar?.finish() }
            return try export.run {
                bar?.update($0)
            } write: {
                try writeToStandardOutput($0)
            }
        }
        guard !summary.isWhole, !summary.wasCutShort else { return }
        var faults: [String] = []
        if summary.damagedRanges > 0 {
            faults.append(
                "\(counted(summary.damagedBytes, "damaged byte")) in \(counted(summary.damagedRanges, "place"))"
            )
        }
        if summary.missingFiles > 0 { faults.append("\(counted(summary.missingFiles, "file")) gone from the journal") }
        if summary.undecodable > 0 { faults.append("\(counted(summary.undecodable, "record")) not of this version") }
        if summary.newerVersionFiles > 0 {
            faults.append("\(counted(summary.newerVersionFiles, "file")) of a later version")
        }
        writeToStandardError(
            "\(faults.joined(separator: ", ")); printed is the rest: \(counted(summary.lines, "record")). "
                + "b24bridge journal verify says where.\n"
        )
        throw ExitCode.failure
    }
}
