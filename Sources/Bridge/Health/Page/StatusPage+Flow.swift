/// The way of the events: Kafka, journals, what was refused, offline events, who may send, and the registry.
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
            ("Handed over", "\(counted(part.queuedRecords, "record")), \(Words.bytes(part.queuedBytes))")
        )
        if let token = part.token {
            let left = token.secondsLeft.map { $0 > 0 ? "good for \(Words.duration($0))" : "expired" } ?? "none yet"
            facts.append(("Token", "\(left)\(token.failure.map { "; no new one: \($0)" } ?? "")"))
        }
        return Self.section("kafka", "Kafka", "\(brokers)\(Self.facts(facts))\(refusingTopics)")
    }

    private var brokers: Markup? {
        guard !report.kafka.brokers.isEmpty else { return nil }
        let rows = report.kafka.brokers.map { broker -> [Markup] in
            let standing = broker.standing.rawValue
            let state = broker.state.lowercased().replacing("_", with: " ")
            let since = "\(state == standing ? "" : "\(state) ")for \(Words.duration(broker.seconds))"
            return [
                "\(broker.name)", "\(Self.badge(broker.standing.grade, standing)) <small>\(since)</small>",
                "\(broker.roundTripMilliseconds.map { "\(($0 * 10).rounded() / 10) ms" } ?? "–")",
                "\(Words.number(broker.requestsUnderWay))",
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
        let more: Markup = others > 0 ? "<p>and \(counted(others, "other"))</p>" : ""
        return "\(Self.table([("Topic that refuses", false), ("Records", false), ("Since", true)], rows))\(more)"
    }

    var journals: Markup {
        var parts = journal("Events", report.journal)
        if report.kafka.parkedRecords > 0 || report.parked.state != "accepting" || report.parked.setAsideFiles > 0 {
            let count = Words.number(report.kafka.parkedRecords)
            parts = "\(parts)\(journal("Parked: \(count)", report.parked))"
        }
        return Self.section("journal", "Journal", parts)
    }

    private func journal(_ name: String, _ part: StatusReport.JournalPart) -> Markup {
        var facts: [(String, Markup)] = [
            (
                "On disk",
                "\(Words.bytes(part.bytes)) of \(Words.bytes(part.maxBytes)), \(counted(part.segments, "segment"))"
            ),
            ("Fill", "\(Self.percent(part.fillRatio)) %, \(Self.timeLeft(part))"),
        ]
        if part.pendingBytes > 0 { facts.append(("Being written", "\(Words.bytes(part.pendingBytes))")) }
        if part.damagedBytes > 0 || part.setAsideFiles > 0 {
            let files = counted(part.setAsideFiles, "file")
            facts.append(("Not readable", "\(Words.bytes(part.damagedBytes)), \(files) set aside"))
        }
        let grade: Grade = part.state == "accepting" ? .good : .bad
        return "<h3>\(name) \(Self.badge(grade, part.state))</h3>\(Self.meter(part, of: name))\(Self.facts(facts))"
    }

    var refusals: Markup {
        let rows = report.refusals.map { part -> [Markup] in
            let lost: Markup? = part.lost ? Self.badge(.bad, "lost") : nil
            return [
                "\(Self.words(part))\(lost)", "\(Words.number(part.count))", ago(part.lastSecondsAgo),
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
                ("Queues", "\(counted(part.portals, "portal"))"),
                ("Drained", "\(counted(part.drainedRows, "row"))"),
                ("Oldest change", part.lagSeconds.map { ago(Int($0)) } ?? "nothing waits"),
            ]
            if part.heldRows > 0 { facts.append(("Reserved", "\(counted(part.heldRows, "row"))")) }
            if part.deadLetteredRows > 0 {
                facts.append(("Dead letters", "\(counted(part.deadLetteredRows, "row"))"))
            }
            if part.portalsDenied > 0 {
                facts.append(("Denied", Self.badge(.warn, counted(part.portalsDenied, "portal"))))
            }
            if let words = part.paused { facts.append(("Paused", "\(words)")) }
            return Self.section("offline", "Offline events", Self.facts(facts))
        }
    }

    var sendersAndRegistry: Markup {
        var facts: [(String, Markup)] = [("May send", "\(senders)")]
        if let part = report.installations {
            facts.append(("Installations", "\(Words.number(part.callsToVerify)) to verify"))
            let waiting = "\(counted(part.awaitingTokenRecords, "event")), \(Words.bytes(part.awaitingTokenBytes))"
            facts.append(("Waiting for tokens", "\(waiting)"))
        }
        if let part = report.registry { facts.append(("Registry", "\(Self.words(part))")) }
        return Self.section("around", "Senders and registry", Self.facts(facts))
    }

    private var senders: String {
        let lists = report.senders.lists.map { list in
            let age = list.ageSeconds.map { "fetched \(Words.duration($0)) ago" } ?? "never fetched"
            return "; \(list.name): \(counted(list.entries, "network")), \(age)"
        }
        return (report.senders.allowedNetworks.map { counted($0, "network") } ?? "everybody") + lists.joined()
    }

    private static func words(_ part: StatusReport.RegistryPart) -> String {
        var words = [part.topic, part.read ? "read" : "not read yet" + (part.fault.map { " (\($0))" } ?? "")]
        if part.unconfirmed > 0 { words.append("\(counted(part.unconfirmed, "change")) not confirmed") }
        if let age = part.snapshotAgeSeconds { words.append("snapshot \(Words.duration(Int(age))) old") }
        words.append(part.owner ? "this replica does the REST work" : "another replica does the REST work, if any")
        return words.joined(separator: ", ")
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

extension StatusReport.BrokerPart.Standing {
    fileprivate var grade: StatusPage.Grade {
        switch self {
        case .up: .good
        case .down: .bad
        case .idle: .plain
        }
    }
}
