import ArgumentParser
import Bitrix24
import Bridge

struct OfflineStatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show what portals' queues hold, and how the bridge gets on with them.",
        discussion: """
            Nothing is taken. Of each portal: how many rows wait; how many somebody has reserved and not cleared yet; how \
            many were marked as erroneous, which are fetched again by recover only; how old the oldest is; how many rows \
            Kafka has confirmed since this replica does the work; when the queue was last seen empty, and when the bridge \
            looks again at the latest; how many calls the portal's rate has left; what keeps it from being drained. A ? \
            stands where the portal does not tell.

              b24bridge offline status --config b24bridge.yaml

            Rows that grow old while nothing is said of a problem: see whether Kafka can be reached, and how many calls \
            are left.

            Exit status: 0 all queues could be looked into, 1 some could not, 2 bad usage or configuration.
            """
    )

    @OptionGroup var configuration: ConfigurationOptions
    @OptionGroup var choice: OfflineChoice
    @OptionGroup var asking: AskingOptions

    @Flag(name: .long, help: "Print a JSON object a line.")
    var json = false

    func run() async throws {
        ignoreBrokenPipes()
        let settings = try LoadedConfiguration.load(configuration).settings
        let answers = try await asking.withRegistry(settings) { registry in
            let portals = try choice.portals(of: registry, settings)
            return await PortalAnswer.ask(.queue, "asking", portals, registry, patience: asking.patience).answers
        }
        let rows = answers.map(QueueRow.init)
        if json {
            for row in rows {
                guard try printJSONLine(row) else { return }
            }
        } else if !rows.isEmpty {
            var table = TextTable(QueueRow.columns)
            for row in rows { table.add(row.cells) }
            try writeToStandardOutput(table.text)
        }
        let waiting = rows.reduce(0) { $0 + ($1.waiting ?? 0) }
        let seen = answers.count { $0.error == nil }
        var words =
            answers.isEmpty
            ? "no portal has offline events"
            : "\(counted(waiting, "row")) waiting on \(seen) of \(answers.count) portals"
        let reserved = rows.reduce(0) { $0 + ($1.reserved ?? 0) }
        if reserved > 0 { words += ", \(reserved) reserved" }
        let erroneous = rows.reduce(0) { $0 + ($1.erroneous ?? 0) }
        if erroneous > 0 { words += ", \(erroneous) marked as erroneous; b24bridge offline recover tries those again" }
        writeToStandardError("offline: \(words)\n")
        if seen < answers.count { throw ExitCode.failure }
    }
}

/// A portal as `offline status` shows it.
private struct QueueRow: Encodable {
    let memberId: String
    let domain: String?
    /// Of all queues of the portal together; absent where it could not be looked into.
    let waiting: Int?
    /// Absent where the portal does not tell, as `erroneous`.
    let reserved: Int?
    let erroneous: Int?
    let oldestSeconds: Int?
    let drained: Int?
    let held: Int?
    let deadLettered: Int?
    let emptyAt: String?
    let nextAt: String?
    let callsLeft: Int?
    let sources: [PortalReport.Queue.Source]?
    let onlineOnly: [String]?
    let problem: String?
    private let name: String
    private let emptySeconds: Int?
    private let nextSeconds: Int?

    private enum CodingKeys: String, CodingKey {
        case memberId, domain, waiting, reserved, erroneous, oldestSeconds, drained, held, deadLettered, emptyAt, nextAt
        case callsLeft, sources, onlineOnly, problem
    }

    init(_ answer: PortalAnswer) {
        let queue = answer.report?.queue
        let sources = answer.error == nil ? queue?.sources : nil
        let now = WallClock.now().milliseconds
        memberId = answer.portal.memberID
        name = answer.portal.shownName
        domain = answer.portal.installation?.domain
        waiting = sources.map { $0.reduce(0) { $0 + $1.waiting } }
        reserved = Self.sum(sources, \.reserved)
        erroneous = Self.sum(sources, \.erroneous)
        let oldest = sources?.compactMap { $0.oldest.flatMap(Timestamp.init(rfc3339:)) }.min()
        oldestSeconds = oldest.map { Int(max(0, now - $0.milliseconds) / 1000) }
        drained = queue?.drained
        held = queue?.held
        deadLettered = queue?.deadLettered
        emptyAt = queue?.emptyAt.map { Timestamp(milliseconds: $0).rfc3339 }
        nextAt = queue?.nextAt.map { Timestamp(milliseconds: $0).rfc3339 }
        emptySeconds = queue?.emptyAt.map { Int(max(0, now - $0) / 1000) }
        nextSeconds = queue?.nextAt.map { Int(max(0, $0 - now) / 1000) }
        callsLeft = queue?.callsLeft
        self.sources = sources
        onlineOnly = queue?.onlineOnly
        problem = answer.error?.words ?? answer.portal.offline?.words ?? queue?.problem
    }

    /// `nil` as soon as one does not tell.
    private static func sum(
        _ sources: [PortalReport.Queue.Source]?,
        _ count: (PortalReport.Queue.Source) -> Int?
    ) -> Int? {
        sources?.reduce(0 as Int?) { sum, source in
            guard let sum, let more = count(source) else { return nil }
            return sum + more
        }
    }

    var cells: [String] {
        func told(_ count: Int?) -> String { count.map(String.init) ?? (sources == nil ? "" : "?") }
        return [
            name, told(waiting), told(reserved), told(erroneous), oldestSeconds.map(Words.duration) ?? "",
            drained.map(String.init) ?? "", emptySeconds.map { "\(Words.duration($0)) ago" } ?? "",
            nextSeconds.map { "in \(Words.duration($0))" } ?? "", callsLeft.map(String.init) ?? "", problem ?? "",
        ]
    }

    static let columns: [(String, TextTable.Alignment)] = [
        ("portal", .left), ("waiting", .right), ("reserved", .right), ("erroneous", .right), ("oldest", .right),
        ("drained", .right), ("last empty", .right), ("next look", .right), ("calls left", .right), ("problem", .left),
    ]
}
