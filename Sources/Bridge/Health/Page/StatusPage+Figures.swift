/// The top row: what one looks at first.
extension StatusPage {
    var figures: Markup {
        let activity = report.activity
        let kafka = report.kafka
        let oldest: Markup = kafka.oldestUndeliveredSeconds.map { "oldest \(ago(Int($0)))" } ?? "none is waiting"
        return """
            <div class="figures">
            \(Self.figure("Events", "\(Self.rate(activity.eventsPerSecond))", "a second", sparkline))
            \(Self.figure(
                "Waiting for Kafka",
                "\(Words.number(kafka.waitingRecords))",
                kafka.waitingRecords == 1 ? "record" : "records",
                "<p>\(oldest)</p>"
            ))
            \(Self.figure(
                "Journal",
                "\(Self.percent(report.journal.fillRatio))",
                "% full",
                "\(Self.meter(report.journal, of: "Journal"))<p>\(Self.timeLeft(report.journal))</p>"
            ))
            \(Self.figure(
                "Portals",
                "\(Words.number(report.portals))",
                "known",
                "<p>\(Words.number(activity.silentPortals)) unusually silent</p>"
            ))
            \(offlineFigure)
            </div>
            """
    }

    private var offlineFigure: Markup? {
        report.offline.map { part in
            Self.figure(
                "Offline lag",
                "\(part.lagSeconds.map { Words.duration(Int($0)) } ?? "0 s")",
                "",
                "<p>\(part.lagSeconds == nil ? "nothing waits" : "oldest change not published")</p>"
            )
        }
    }

    /// Marks at the levels at which it is told, see `FillAlarm`.
    static func meter(_ part: StatusReport.JournalPart, of name: String) -> Markup {
        let percent = percent(part.fillRatio)
        return """
            <div class="meter"><meter min="0" max="100" low="50" high="80" optimum="0" value="\(percent)" \
            aria-label="\(name), percent full">\(percent) %</meter></div>
            """
    }

    /// A bar for each second of the last minute, the present one on the right.
    private var sparkline: Markup {
        let counts = report.activity.lastMinute.suffix(60).map { max(0, $0) }
        let peak = counts.max() ?? 0
        let first = 60 - counts.count
        let bars = counts.enumerated().compactMap { index, count -> Markup? in
            guard count > 0 else { return nil }
            // Of 24 units; what is there at all can be seen.
            let height = max(1, Int((Double(count) / Double(peak) * 24).rounded()))
            return "M\((first + index) * 4) 24v-\(height)h3v\(height)z"
        }
        let words =
            counts.isEmpty
            ? "no figures of the last minute yet" : "last minute, peak \(Words.number(peak))"
        return """
            <svg viewBox="0 0 240 25" preserveAspectRatio="none" role="img" aria-label="Events by second, \(words)">\
            <path class="base" d="M0 24.5h240"/><path d="\(bars)"/></svg><p>\(words)</p>
            """
    }
}
