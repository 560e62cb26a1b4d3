import ArgumentParser
import Bridge
import Foundation

struct JournalInspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Show what lies in a journal: files, positions, ages, topics, portals, what is undelivered.",
        discussion: """
            Reads everything once and changes nothing. There are two journals: the main one, and below it that of the \
            records that were parked because their topic, or the record itself, was refused. Undelivered is what the \
            checkpoint does not cover; of the last second before a crash some of it has arrived all the same. In the \
            main journal a record counts as delivered when it was parked.

              b24bridge journal inspect --config b24bridge.yaml
              b24bridge journal inspect --directory /mnt/journal --json |
                jq '.topics[] | select(.parked > 0)'

            Exit status: 0 printed, whatever was found (journal verify judges), 1 it cannot be read, 2 bad usage or \
            configuration.
            """
    )

    @OptionGroup var location: JournalLocation

    @Flag(
        name: .long,
        help: "Print everything as one JSON object; the tables of people end after 50 topics and portals."
    )
    var json = false

    func run() throws {
        ignoreBrokenPipes()
        let site = try location.inspect()
        site.warnIfInUse()
        var bar = ReadingBar("reading", bytes: site.bytes)
        let survey = try reportingFaults { try JournalSurvey(of: site) { bar.update($0) } }
        bar.finish()
        if json {
            try printJSON(survey)
        } else {
            try writeToStandardOutput(SurveyText.text(survey))
        }
    }
}
