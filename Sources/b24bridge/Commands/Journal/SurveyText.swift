import Bridge

/// What `journal inspect` prints for people.
enum SurveyText {
    /// Rows of the tables by topic and by portal.
    private static let mostRows = 50

    static func text(_ survey: JournalSurvey) -> String {
        survey.journals.map(text).joined(separator: "\n") + "\n"
            + table("topic", survey.topics, survey.otherTopics) + "\n"
            + table("portal", survey.portals, survey.otherPortals)
    }

    // MARK: A journal

    private static func text(_ part: JournalSurvey.Part) -> String {
        var text = "\(part.journal.rawValue) journal  \(part.directory)\n"
        let bytes = Words.bytes
        text += "  records      \(part.records), \(bytes(part.bytes)) in \(counted(part.segments.count, "file"))\n"
        text += "  undelivered  \(part.undelivered), \(bytes(part.undeliveredBytes))"
        text += part.oldestUndelivered.map { ", the oldest \($0.age) old (\($0))" } ?? ""
        text += "\n"
        if part.oversized > 0 {
            text += "  oversized    \(part.oversized): over kafka.maxRecordBytes, sent when that is raised\n"
        }
        if part.refused > 0 {
            text += "  refused      \(part.refused): refused by the brokers for a reason of their own\n"
        }
        if part.undecodable > 0 { text += "  undecodable  \(part.undecodable): not records of this version\n" }
        text += "  checkpoint   \(checkpoint(part))\n"
        text += "  state        \(state(part))\n"
        if part.damagedRanges > 0 {
            text +=
                "  damage       \(bytes(part.damagedBytes)) in \(counted(part.damagedRanges, "place")); see journal verify\n"
        }
        if !part.missingSegments.isEmpty {
            text += "  missing      \(counted(part.missingSegments.count, "file")); see journal verify\n"
        }
        if !part.setAside.isEmpty {
            let sum = part.setAside.reduce(0) { $0 + $1.bytes }
            text +=
                "  set aside    \(counted(part.setAside.count, "file")), \(bytes(sum)): what earlier starts could not read\n"
        }
        return text + "\n" + segments(part)
    }

    private static func checkpoint(_ part: JournalSurvey.Part) -> String {
        switch part.checkpoint {
        case .used where part.confirmedBelow ?? 0 <= 1: "nothing is delivered or parked yet"
        case .used: "everything below position \(part.confirmedBelow ?? 0) is delivered or parked"
        case .none: "none yet; everything counts as undelivered"
        case .damaged: "cannot be read; everything counts as undelivered and will be sent again"
        case .notCredible: "not credible; everything counts as undelivered and will be sent again"
        }
    }

    private static func state(_ part: JournalSurvey.Part) -> String {
        if part.isInUse { return "in use by a running bridge" }
        return part.isCleanlyClosed
            ? "cleanly closed" : "not closed: its bridge was killed, or this is a copy of a live one"
    }

    private static func segments(_ part: JournalSurvey.Part) -> String {
        var table = TextTable([
            ("file", .left), ("bytes", .right), ("records", .right), ("positions", .left), ("oldest", .right),
            ("newest", .right), ("undelivered", .right), ("notes", .left),
        ])
        for segment in part.segments {
            var positions = ""
            if let first = segment.first, let last = segment.last { positions = "\(first)-\(last)" }
            table.add([
                segment.file, Words.bytes(segment.bytes), "\(segment.records)", positions,
                segment.oldest?.age ?? "", segment.newest?.age ?? "", "\(segment.undelivered)", notes(segment),
            ])
        }
        return table.text
    }

    private static func notes(_ segment: JournalSurvey.Segment) -> String {
        var notes: [String] = []
        if let version = segment.newerVersion { notes.append("of a later version (\(version)), not read") }
        if segment.damagedRanges > 0 { notes.append("\(Words.bytes(segment.damagedBytes)) damaged") }
        if segment.unfinishedBytes > 0 { notes.append("being written") }
        if segment.repeated > 0 { notes.append("\(segment.repeated) again in a later file") }
        if segment.isDeleted { notes.append("deleted meanwhile, all delivered") }
        return notes.joined(separator: ", ")
    }

    // MARK: By topic and by portal

    private static func table(_ title: String, _ rows: [JournalSurvey.Row], _ others: Tally?) -> String {
        guard !rows.isEmpty else { return "" }
        var table = TextTable([
            (title, .left), ("records", .right), ("bytes", .right), ("undelivered", .right), ("parked", .right),
            ("oversized", .right), ("refused", .right), ("oldest undelivered", .right),
        ])
        for row in rows.prefix(mostRows) { table.add([row.name.isEmpty ? "(none)" : row.name] + cells(row.tally)) }
        let rest = rows.dropFirst(mostRows)
        if !rest.isEmpty || others != nil {
            let sum = rest.reduce(others ?? .zero) { $0 + $1.tally }
            table.add(["(\(rest.count)\(others == nil ? "" : " and more") others)"] + cells(sum))
        }
        return table.text
    }

    private static func cells(_ tally: Tally) -> [String] {
        [
            "\(tally.records)", Words.bytes(tally.bytes), "\(tally.undelivered)", "\(tally.parked)",
            "\(tally.oversized)", "\(tally.refused)", tally.oldestUndelivered?.age ?? "",
        ]
    }
}
