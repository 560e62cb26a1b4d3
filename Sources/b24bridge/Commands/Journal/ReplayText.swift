import Bridge

/// What `journal replay` prints.
enum ReplayText {
    private struct Plan: Encodable {
        var records: Int
        var topics: [Backlog.Topic]
    }

    static func print(_ backlog: Backlog, json: Bool) throws {
        if json { return try printJSON(Plan(records: backlog.records, topics: backlog.topics)) }
        var table = TextTable([
            ("topic", .left), ("records", .right), ("parked", .right), ("oversized", .right), ("refused", .right),
        ])
        for row in backlog.topics {
            table.add([
                row.topic, "\(row.tally.undelivered)", "\(row.tally.parked)", "\(row.tally.oversized)",
                "\(row.tally.refused)",
            ])
        }
        let text = backlog.topics.isEmpty ? "" : table.text
        writeToStandardOutput(text + "\(backlog.records) records would be sent. Nothing was.\n")
    }

    static func print(_ result: Replay.Result, json: Bool) throws {
        if json { return try printJSON(result) }
        var text = "\(result.delivered) records delivered, \(result.left) left.\n"
        if let reason = result.stopped { text += "Ended early: \(reason). Nothing is lost; run it again.\n" }
        if !result.topics.isEmpty {
            var table = TextTable([("topic", .left), ("left", .right), ("error", .left)])
            for row in result.topics { table.add([row.topic, "\(row.records)", row.error]) }
            text += table.text
        }
        if result.left > 0, result.stopped == nil {
            text +=
                "What is left stays in the journal. Mend the topics and run it again, or see journal reroute --help.\n"
        }
        writeToStandardOutput(text)
    }

    static func print(_ result: Resend.Result, isDryRun: Bool, json: Bool) throws {
        if json { return try printJSON(result) }
        var text = ""
        if !result.sent.isEmpty {
            var table = TextTable([("topic", .left), ("records", .right)])
            for row in result.sent { table.add([row.topic, "\(row.records)"]) }
            text += table.text
        }
        text += "\(result.records) records \(isDryRun ? "would be sent. Nothing was" : "sent again and confirmed").\n"
        if !result.refused.isEmpty {
            var table = TextTable([("topic", .left), ("refused", .right), ("error", .left)])
            for row in result.refused { table.add([row.topic, "\(row.records)", row.error ?? ""]) }
            text += table.text
        }
        if result.leftToBridge > 0 {
            text += "\(result.leftToBridge) are not delivered yet and left to the bridge that runs there.\n"
        }
        if result.damagedBytes > 0 || result.undecodable > 0 {
            text += "\(result.damagedBytes) bytes are damaged, \(result.undecodable) records are not of this version.\n"
        }
        if let reason = result.stopped { text += "Ended early: \(reason). Run it again.\n" }
        writeToStandardOutput(text)
    }
}
