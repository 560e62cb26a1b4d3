import ArgumentParser
import Bridge

/// Which records.
struct RecordSelection: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("Only of this topic; may be given several times.", valueName: "name"))
    var topic: [String] = []

    @Option(name: .long, help: ArgumentHelp("Only of this portal; several times as well.", valueName: "member_id"))
    var portal: [String] = []

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Only from this on: a position, or a time of receipt as 2026-11-20T03:15:00Z.",
            valueName: "place"
        )
    )
    var from: String?

    @Option(name: .long, help: ArgumentHelp("Only up to this, itself included.", valueName: "place"))
    var to: String?

    func validate() throws {
        for (name, text) in [("--from", from), ("--to", to)] {
            guard let text, JournalBound(text) == nil else { continue }
            throw ValidationError(
                "\(name) \(text) is neither a position nor a time; write times as 2026-11-20T03:15:00Z (RFC 3339)"
            )
        }
        if let from, let to, let lower = JournalBound(from), let upper = JournalBound(to), lower.isAbove(upper) {
            throw ValidationError("--from \(from) is after --to \(to), so nothing lies between; exchange them")
        }
    }

    var filter: RecordFilter {
        var filter = RecordFilter()
        filter.topics = topic
        filter.portals = portal
        filter.from = from.flatMap { JournalBound($0) }
        filter.to = to.flatMap { JournalBound($0) }
        return filter
    }
}
