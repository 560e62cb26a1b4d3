internal import Bitrix24

/// The status for people, at `/` of the admin port. It is complete without its script, which only keeps it up to date.
struct StatusPage {
    let report: StatusReport
    let portals: PortalPage
    /// What was looked for among the portals.
    let find: String
    /// Of the report.
    let now: Timestamp
    let worries: [Worry]

    /// How many portals it shows.
    static let limit = 50

    init(_ report: StatusReport, portals: PortalPage, find: String = "", now: Timestamp = WallClock.now()) {
        self.report = report
        self.portals = portals
        self.find = find
        self.now = now
        worries = report.worries
    }

    /// Addresses are relative, so that it also works below a path, as behind `kubectl proxy`. Without the script it is loaded
    /// anew every five seconds.
    var html: Markup {
        """
        <!doctype html>
        <html lang="en" data-version="\(report.version)">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>\(report.ready ? "Ready" : "NOT READY"): \(report.replica)</title>
        \(icon)
        <link rel="stylesheet" href="status.css">
        <script src="status.js" defer></script>
        <noscript><meta http-equiv="refresh" content="5"></noscript>
        </head>
        <body>
        <p id="lost" role="alert" hidden>The bridge does not answer. What is below is old. \
        <span aria-hidden="true">No answer for <b></b>.</span></p>
        <main>
        \(headline)
        \(attention)
        \(figures)
        <div class="columns">
        <div>
        \(kafka)
        \(journals)
        \(refusals)
        \(offline)
        \(sendersAndRegistry)
        </div>
        <div>
        \(portalList)
        </div>
        </div>
        <footer>b24bridge \(report.version), \(report.kafka.library) · as JSON: <a href="status">status</a>, \
        <a href="status/portals">portals</a> · <a href="metrics">metrics</a></footer>
        </main>
        </body>
        </html>

        """
    }

    private var icon: Markup {
        report.ready
            ? "<link rel=\"icon\" type=\"image/svg+xml\" href=\"ready.svg\">"
            : "<link rel=\"icon\" type=\"image/svg+xml\" href=\"not-ready.svg\">"
    }

    private var headline: Markup {
        let grade: Markup = !report.ready ? "bad" : worries.isEmpty ? "good" : "warn"
        let words =
            !report.ready
            ? "New events may be refused and lost."
            : worries.isEmpty
                ? "Events are taken, and nothing needs attention." : "Events are taken, and something needs attention."
        return """
            <header class="\(grade)">
            <h1>\(report.ready ? "Ready" : "Not ready")</h1>
            <p>\(words)</p>
            <p class="about">Replica <b>\(report.replica)</b>, up \(Words.duration(report.uptimeSeconds)), \
            \(counted(report.connections, "open connection"))</p>
            </header>
            """
    }

    private var attention: Markup {
        let list: Markup = worries.isEmpty ? "" : "<h2>Needs attention</h2><ul>\(worries.map(\.markup))</ul>"
        // It stays where it is when it is empty, so that what comes into it is read aloud.
        return "<section class=\"attention\" role=\"status\">\(list)</section>"
    }

    // MARK: Building blocks

    /// One large number of the top row.
    static func figure(_ name: String, _ value: Markup, _ unit: String, _ more: Markup) -> Markup {
        """
        <div class="figure"><h2>\(name)</h2><p><b>\(value)</b> \(unit)</p>\(more)</div>
        """
    }

    static func section(_ id: StaticString, _ title: String, _ content: Markup) -> Markup {
        let name = id.description
        return "<section aria-labelledby=\"\(name)\"><h2 id=\"\(name)\">\(title)</h2>\(content)</section>\n"
    }

    static func facts(_ rows: [(name: String, value: Markup)]) -> Markup {
        rows.isEmpty ? "" : "<dl>\(rows.map { "<div><dt>\($0.name)</dt><dd>\($0.value)</dd></div>" as Markup })</dl>"
    }

    /// - Parameter columns: those that hold numbers are aligned to the right.
    static func table(_ columns: [(name: String, isNumber: Bool)], _ rows: [[Markup]]) -> Markup {
        let heads = columns.map { column -> Markup in
            column.isNumber
                ? "<th scope=\"col\" class=\"number\">\(column.name)</th>" : "<th scope=\"col\">\(column.name)</th>"
        }
        let lines = rows.map { row -> Markup in
            let cells = zip(columns, row).enumerated().map { index, cell -> Markup in
                if index == 0 { return "<th scope=\"row\">\(cell.1)</th>" }
                return cell.0.isNumber ? "<td class=\"number\">\(cell.1)</td>" : "<td>\(cell.1)</td>"
            }
            return "<tr>\(cells)</tr>\n"
        }
        return "<table><thead><tr>\(heads)</tr></thead>\n<tbody>\(lines)</tbody></table>"
    }

    /// A state in words, with a sign before it.
    static func badge(_ grade: Grade, _ words: String) -> Markup {
        "<span class=\"badge \(grade.rawValue)\">\(words)</span>"
    }

    enum Grade: String {
        case good, warn, bad
        /// Neither good nor bad.
        case plain
    }
}
