import Bridge

/// What `journal replay` prints.
enum ReplayText {
    private struct Plan: Encodable {
        var records: Int
        var topics: [Backlog.Topic]
        var unread: Backlog.Unread
    }

    static func print(_ backlog: Backlog, json: Bool) throws {
        if json { return try printJSON(Plan(records: backlog.records, topics: backlog.topics, unread: backlog.unread)) }
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
        try writeToStandardOutput(
            text + "\(backlog.records) records would be sent. Nothing was.\n" + words(backlog.unread)
        )
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
        try writeToStandardOutput(text + words(result.unread))
    }

    private static func words(_ unread: Backlog.Unread) -> String {
        var text = ""
        if unread.damagedBytes > 0 {
            text += "\(unread.damagedBytes) bytes are damaged in files that are not delivered.\n"
        }
        if unread.newerVersionFiles > 0 {
            text +=
                "\(unread.newerVersionFiles) files were written by a later version; replay them with that version.\n"
        }
        if unread.isLoss {
            text +=
                "Keep the volume: what cannot be read stays there, in set-aside/ once a start has met it. "
                + "Places: journal verify.\n"
        }
        if unread.unfinishedBytes > 0 {
            text +=
                "\(unread.unfinishedBytes) bytes at the end of the newest file are no record: "
                + "they may be a write that a crash cut short, which nobody was told of.\n"
        }
        if unread.setAsideFiles > 0 {
            text += "\(unread.setAsideFiles) files in set-aside/ hold what earlier starts could not read.\n"
        }
        if unread.needsBridge {
            text +=
                "Beside the journal: \(counted(unread.waitingFiles, "file")) of events that wait for their portal's token "
                + "(waiting/), \(counted(unread.installCalls, "installation")) not verified yet (installs/). "
                + "Keep the volume, and let a bridge run on it.\n"
        }
        return text
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
        try writeToStandardOutput(text)
    }
}
