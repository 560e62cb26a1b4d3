import ArgumentParser
import Bitrix24
import Bridge
import Foundation

struct DeadLettersListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the dead letters, the newest last.",
        discussion: """
            Reads the dead-letter topic from its beginning to its present end. A token is shown by the beginning of its \
            SHA-256 only, which for a token at hand is

              printf %s "$TOKEN" | sha256sum

            A flood of refused calls is not kept in full: beyond 1 % of journal.maxBytes that wait for Kafka, and a \
            sixteenth of that for each portal, letters are dropped. The bridge says so in its log and counts them in \
            b24bridge_dead_letters_dropped_total.

              b24bridge dead-letters list --config b24bridge.yaml \\
                --since 7d --reason unknown-portal

            Exit status: 0 all was read, also if there was nothing, 1 failure, 2 bad usage or configuration.
            """
    )

    @OptionGroup var configuration: ConfigurationOptions
    @OptionGroup var selection: DeadLetterSelection

    @Option(name: .long, help: ArgumentHelp("The newest letters only, so many.", valueName: "count"))
    var limit: Int?

    @Flag(name: .long, help: "Print a JSON object a line, with the fields of the call.")
    var json = false

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit takes a number above 0") }
    }

    func run() async throws {
        ignoreBrokenPipes()
        let settings = try LoadedConfiguration.load(configuration).settings
        var newest = NewestLetters(limit: limit)
        var tally = LetterCounts()
        try await settings.withKafkaTokens {
            try selection.read(settings) { letter in
                tally.add(letter.reason)
                newest.add(letter)
            }
        }
        let letters = newest.letters
        if json {
            for letter in letters {
                guard try printJSONLine(DeadLetterJSON(letter)) else { return }
            }
        } else if !letters.isEmpty {
            var table = TextTable([
                ("time", .left), ("reason", .left), ("portal", .left), ("event", .left), ("token", .left),
                ("place", .left),
            ])
            for letter in letters {
                table.add([
                    letter.shownTime, letter.reason, letter.portal, letter.event, letter.shownDigest, letter.place,
                ])
            }
            try writeToStandardOutput(table.text)
        }
        var words = "dead letters: \(tally.total)" + (tally.total > 0 ? " (\(tally.text))" : "")
        if letters.count < tally.total { words += ", the newest \(letters.count) are shown" }
        writeToStandardError(words + "\n")
    }
}

/// The newest letters in the order of their receipt. No more are kept than are wanted, but for a reserve that saves sorting.
private struct NewestLetters {
    let limit: Int?
    private var kept: [DeadLetter] = []

    init(limit: Int?) { self.limit = limit }

    mutating func add(_ letter: DeadLetter) {
        kept.append(letter)
        guard let limit, kept.count >= 2 * limit + 100 else { return }
        kept = Array(sorted.suffix(limit))
    }

    var letters: [DeadLetter] { Array(sorted.suffix(limit ?? .max)) }

    private var sorted: [DeadLetter] { kept.sorted { $0.order < $1.order } }
}

/// A line of `list --json`.
private struct DeadLetterJSON: Encodable {
    /// Absent on letters of versions that gave none.
    let id: String?
    let time: String?
    let reason: String
    let portal: String
    let event: String
    let tokenSHA256: String?
    let partition: Int32
    let offset: Int64
    /// `[name, value]` of each field, without secrets.
    let pairs: [[String]]?

    init(_ letter: DeadLetter) {
        id = letter.id?.text
        time = letter.receivedAt?.rfc3339
        reason = letter.reason
        portal = letter.portal
        event = letter.event
        tokenSHA256 = letter.tokenDigest
        partition = letter.partition
        offset = letter.offset
        pairs = letter.pairs.map { $0.map { [$0.name, $0.value] } }
    }
}
