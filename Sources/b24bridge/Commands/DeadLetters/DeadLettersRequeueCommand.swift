import ArgumentParser
import Bitrix24
import Bridge
import Foundation
import KafkaClient

struct DeadLettersRequeueCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "requeue",
        abstract: "Publish refused events whose token is known by now.",
        discussion: """
            Letters that were refused for an unknown portal or a wrong token, and whose token is now one of that portal's \
            in the portals' file, are sent to the topics where their events belong, with the time of their receipt. \
            Everything else is left. See first what would happen:

              b24bridge dead-letters requeue --config b24bridge.yaml --dry-run

            The letters stay in their topic. A second run sends the same events with the same ids, so that consumers know \
            them again; choose with --portal, --since or --token-sha256 what is sent.

            Exit status: 0 all that could be admitted was sent, also if there was nothing, 1 failure (what Kafka did not \
            confirm is named), 2 bad usage or configuration.
            """
    )

    @OptionGroup var configuration: ConfigurationOptions
    @OptionGroup var selection: DeadLetterSelection

    @Flag(name: .long, help: "Send nothing; show what would be sent, and why the rest would not.")
    var dryRun = false

    func run() async throws {
        ignoreBrokenPipes()
        let loaded = try LoadedConfiguration.load(configuration)
        if dryRun { try show(loaded) } else { try send(loaded) }
    }

    private func show(_ loaded: LoadedConfiguration) throws {
        var readmission = Readmission(settings: loaded.settings, portals: loaded.portals)
        var record = EventRecord()
        var table = TextTable([
            ("time", .left), ("portal", .left), ("event", .left), ("token", .left), ("place", .left),
            ("what happens", .left),
        ])
        var (admitted, all) = (0, 0)
        try selection.read(loaded.settings) { letter in
            all += 1
            let words: String
            switch readmission.judge(letter, into: &record) {
            case .admitted:
                admitted += 1
                words =
                    "to \(String(decoding: record.topic, as: UTF8.self)), key \(String(decoding: record.key, as: UTF8.self))"
            case .left(let obstacle): words = "left: \(obstacle)"
            }
            table.add([letter.shownTime, letter.portal, letter.event, letter.shownDigest, letter.place, words])
        }
        if all > 0 { try writeToStandardOutput(table.text) }
        writeToStandardError("dead letters: \(admitted) of \(all) would be sent\n")
    }

    private func send(_ loaded: LoadedConfiguration) throws {
        var readmission = Readmission(settings: loaded.settings, portals: loaded.portals)
        var record = EventRecord()
        let sender = try RecordSender(settings: loaded.settings, timeout: .seconds(selection.timeout))
        defer { sender.close() }
        var admitted = 0
        var left = LetterCounts()
        // What was handed over by then is waited for, whatever ends the reading.
        var end: (any Error)?
        do {
            try selection.read(loaded.settings) { letter in
                switch readmission.judge(letter, into: &record) {
                case .admitted:
                    admitted += 1
                    guard sender.send(record, label: letter.place) else { throw SendingEnded() }
                case .left(let obstacle): left.add(obstacle.rawValue)
                }
            }
        } catch is SendingEnded {
            writeToStandardError("Kafka takes no more records; the rest of the dead letters was not looked at.\n")
        } catch {
            end = error
        }
        var bar = ProgressBar("waiting for Kafka", total: admitted)
        sender.finish { open in bar.update(admitted - open, "\(admitted - open) of \(admitted)") }
        bar.finish()
        for failure in sender.failures {
            writeToStandardError("not confirmed: \(failure.label) to \(failure.topic): \(failure.error)\n")
        }
        var words = "dead letters: \(sender.delivered) sent"
        if left.total > 0 { words += ", \(left.total) left (\(left.text))" }
        if !sender.failures.isEmpty {
            words += ", \(sender.failures.count) failed; mend the cause and run it again: the ids stay the same"
        }
        writeToStandardError(words + "\n")
        if let end { throw end }
        if !sender.failures.isEmpty { throw ExitCode.failure }
    }

    private struct SendingEnded: Error {}
}
