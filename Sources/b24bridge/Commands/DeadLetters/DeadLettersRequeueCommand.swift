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
            in the portals' file or the registry, are sent to the topics where their events belong, with the time of their \
            receipt. Everything else is left. See first what would happen:

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

    @Flag(
        name: .long,
        help: "Print the result as one JSON object; with --dry-run an object a line, one for each letter."
    )
    var json = false

    func run() async throws {
        ignoreBrokenPipes()
        let loaded = try LoadedConfiguration.load(configuration)
        try await loaded.settings.withKafkaTokens {
            let readmission = Readmission(settings: loaded.settings, portals: try await portals(loaded))
            if dryRun { try show(loaded, readmission) } else { try send(loaded, readmission) }
        }
    }

    /// Those of the file and of the registry, as the receiver has them.
    private func portals(_ loaded: LoadedConfiguration) async throws -> PortalDirectory {
        guard loaded.settings.keepsRegistry else { return loaded.portals }
        let portals = PortalStore(loaded.portals)
        try await loaded.settings.withRegistry(patience: .seconds(selection.timeout)) { registry in
            portals.registered(registry.memberIDs) { registry.portal($0) }
        }
        return portals.directory
    }

    private func show(_ loaded: LoadedConfiguration, _ readmission: Readmission) throws {
        var readmission = readmission
        var record = EventRecord()
        var rows: [PlannedLetter] = []
        try selection.read(loaded.settings) { letter in
            let verdict = readmission.judge(letter, into: &record)
            rows.append(PlannedLetter(letter, verdict, record))
        }
        rows.sort { $0.order < $1.order }
        if json {
            for row in rows {
                guard try printJSONLine(row) else { return }
            }
        } else if !rows.isEmpty {
            var table = TextTable([
                ("time", .left), ("portal", .left), ("event", .left), ("token", .left), ("place", .left),
                ("what happens", .left),
            ])
            for row in rows { table.add(row.cells) }
            try writeToStandardOutput(table.text)
        }
        writeToStandardError("dead letters: \(rows.count { $0.topic != nil }) of \(rows.count) would be sent\n")
    }

    private func send(_ loaded: LoadedConfiguration, _ readmission: Readmission) throws {
        var readmission = readmission
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
        if json {
            try printJSON(
                RequeueResult(
                    sent: sender.delivered,
                    left: left.counts,
                    failed: sender.failures.map {
                        RequeueResult.Failure(place: $0.label, topic: $0.topic, error: "\($0.error)")
                    }
                )
            )
        }
        if let end { throw end }
        if !sender.failures.isEmpty { throw ExitCode.failure }
    }

    private struct SendingEnded: Error {}
}

/// What `requeue --json` prints.
private struct RequeueResult: Encodable {
    struct Failure: Encodable {
        let place: String
        let topic: String
        let error: String
    }

    let sent: Int
    /// By obstacle.
    let left: [String: Int]
    let failed: [Failure]
}

/// A letter and what would become of it.
private struct PlannedLetter: Encodable {
    let id: String?
    let time: String?
    let portal: String
    let event: String
    let tokenSHA256: String?
    let partition: Int32
    let offset: Int64
    /// Of the record that would be sent; absent if the letter is left.
    let topic: String?
    let key: String?
    /// Why it is left.
    let left: String?
    /// What a person gets.
    let cells: [String]
    let order: (Int64, Int32, Int64)

    private enum CodingKeys: String, CodingKey {
        case id, time, portal, event, tokenSHA256, partition, offset, topic, key, left
    }

    init(_ letter: DeadLetter, _ verdict: Readmission.Verdict, _ record: EventRecord) {
        id = letter.id?.text
        time = letter.receivedAt?.rfc3339
        portal = letter.portal
        event = letter.event
        tokenSHA256 = letter.tokenDigest
        partition = letter.partition
        offset = letter.offset
        order = letter.order
        let words: String
        switch verdict {
        case .admitted:
            let (topic, key) = (
                String(decoding: record.topic, as: UTF8.self), String(decoding: record.key, as: UTF8.self)
            )
            (self.topic, self.key, left) = (topic, key, nil)
            words = "to \(topic), key \(key)"
        case .left(let obstacle):
            (topic, key, left) = (nil, nil, obstacle.rawValue)
            words = "left: \(obstacle)"
        }
        cells = [letter.shownTime, portal, event, letter.shownDigest, letter.place, words]
    }
}
