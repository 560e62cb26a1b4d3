/// The way of the events: Kafka, journals, what was refused, offline events.
extension StatusPage {
    var kafka: Markup {
        let part = report.kafka
        var facts: [(String, Markup)] = []
        if part.brokers.isEmpty {
            facts.append(("Servers", "\(part.bootstrapServers)"))
            facts.append(
                ("State", part.unreachable == nil ? "no figures of brokers yet" : Self.badge(.bad, "unreachable"))
            )
        }
        if let words = part.unreachable { facts.append(("Error", "\(words)")) }
        facts.append(
            ("Handed over", "\(Self.number(part.queuedRecords, "record")), \(Self.bytes(part.queuedBytes))")
        )
        if let token = part.token {
            let left = token.secondsLeft.map { $0 > 0 ? "good for \(Self.duration($0))" : "expired" } ?? "none yet"
            facts.append(("Token", "\(left)\(token.failure.map { "; no new one: \($0)" } ?? "")"))
        }
        return Self.section("kafka", "Kafka", "\(brokers)\(Self.facts(facts))\(refusingTopics)")
    }

    private var brokers: Markup? {
        guard !report.kafka.brokers.isEmpty else { return nil }
        let rows = report.kafka.brokers.map { broker -> [Markup] in
            let grade: Grade = broker.state == "UP" ? .good : broker.state == "DOWN" ? .bad : .warn
            let words = broker.state.lowercased().replacing("_", with: " ")
            return [
                "\(broker.name)", "\(Self.badge(grade, words)) <small>for \(Self.duration(broker.seconds))</small>",
                "\(broker.roundTripMilliseconds.map { "\(($0 * 10).rounded() / 10) ms" } ?? "–")",
                "\(Self.number(broker.requestsUnderWay))",
            ]
        }
        return Self.table(
            [("Broker", false), ("State", false), ("Round trip", true), ("Requests", true)],
            rows
        )
    }

    private var refusingTopics: Markup? {
        let topics = report.kafka.refusingTopics
        guard !topics.isEmpty else { return nil }
        let rows = topics.prefix(Self.limit).map { topic -> [Markup] in
            [
                "\(topic.topic)<small>\(topic.error)</small>",
                Self.badge(topic.parked ? .warn : .bad, topic.parked ? "parked" : "held"), ago(topic.seconds),
            ]
        }
        let others = topics.count - rows.count
        let more: Markup = others > 0 ? "<p>and \(Self.number(others, "other"))</p>" : ""
        return "\(Self.table([("Topic that refuses", false), ("Records", false), ("Since", true)], rows))\(more)"
    }

    var journals: Markup {
        var parts = journal("Events", report.journal)
        if report.kafka.parkedRecords > 0 || report.parked.state != "accepting" || report.parked.setAsideFiles > 0 {
            let count = Self.number(report.kafka.parkedRecords)
            parts = "\(parts)\(journal("Parked: \(count)", report.parked))"
        }
        return Self.section("journal", "Journal", parts)
    }

    private func journal(_ name: String, _ part: StatusReport.JournalPart) -> Markup {
        var facts: [(String, Markup)] = [
            (
                "On disk",
                "\(Self.bytes(part.bytes)) of \(Self.bytes(part.maxBytes)), \(Self.number(part.segments, "segment"))"
            ),
            ("Fill", "\(Self.percent(part.fillRatio)) %, \(Self.timeLeft(part))"),
        ]
        if part.pendingBytes > 0 { facts.append(("Being written", "\(Self.bytes(part.pendingBytes))")) }
        if part.damagedBytes > 0 || part.setAsideFiles > 0 {
            let files = Self.number(part.setAsideFiles, "file")
            facts.append(("Not readable", "\(Self.bytes(part.damagedBytes)), \(files) set aside"))
        }
        let grade: Grade = part.state == "accepting" ? .good : .bad
        return "<h3>\(name) \(Self.badge(grade, part.state))</h3>\(Self.meter(part, of: name))\(Self.facts(facts))"
    }

    var refusals: Markup {
        let rows = report.refusals.map { part -> [Markup] in
            let lost: Markup? = part.lost ? Self.badge(.bad, "lost") : nil
            return [
                "\(Self.words(part))\(lost)", "\(Self.number(part.count))", ago(part.lastSecondsAgo),
            ]
        }
        return Self.section(
            "refusals",
            "Refused and lost",
            rows.isEmpty
                ? "<p>Nothing since the start.</p>"
                : Self.table([("Reason", false), ("Since the start", true), ("Last", true)], rows)
        )
    }

    private static func words(_ part: StatusReport.RefusalPart) -> String {
        part.lost
            ? BridgeMetrics.LossReason(rawValue: part.reason)?.words ?? part.reason
            : BridgeMetrics.RefusalReason(rawValue: part.reason)?.words ?? part.reason
    }

    var offline: Markup? {
        report.offline.map { part in
            var facts: [(String, Markup)] = [
                ("Queues", "\(Self.number(part.portals, "portal"))"),
                ("Drained", "\(Self.number(part.drainedRows, "row"))"),
                ("Oldest change", part.lagSeconds.map { ago(Int($0)) } ?? "nothing waits"),
            ]
            if part.heldRows > 0 { facts.append(("Reserved", "\(Self.number(part.heldRows, "row"))")) }
            if part.deadLetteredRows > 0 {
                facts.append(("Dead letters", "\(Self.number(part.deadLetteredRows, "row"))"))
            }
            if part.portalsDenied > 0 {
                facts.append(("Denied", Self.badge(.warn, Self.number(part.portalsDenied, "portal"))))
            }
            if let words = part.paused { facts.append(("Paused", "\(words)")) }
            return Self.section("offline", "Offline events", Self.facts(facts))
        }
    }
}

extension BridgeMetrics.RefusalReason {
    fileprivate var words: String {
        switch self {
        case .unknownPortal: "Unknown portal"
        case .badToken: "Wrong or missing token"
        case .gonePortal: "Portal that is gone"
        case .address: "Network that may not send"
        case .undecodable: "Body that is no form"
        case .malformedEvent: "Malformed event"
        case .malformedRequest: "Malformed request"
        case .tooSlow: "Too slow"
        case .bodyTooLarge: "Body too large"
        }
    }
}

extension BridgeMetrics.LossReason {
    fileprivate var words: String {
        switch self {
        case .journalFull: "Journal full"
        case .parkedFull: "Too many parked records"
        case .waitingFull: "Too many events of portals without token"
        case .diskFailure: "Disk failed"
        case .overload: "Overload"
        case .shutdown: "Shutdown"
        }
    }
}
