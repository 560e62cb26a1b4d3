/// What somebody should look at, in words that do not change while nothing else does: they are read aloud.
extension StatusPage {
    struct Worry: Equatable {
        let grade: Grade
        let subject: String
        let words: String

        static func bad(_ subject: String, _ words: String) -> Worry {
            Worry(grade: .bad, subject: subject, words: words)
        }

        static func warn(_ subject: String, _ words: String) -> Worry {
            Worry(grade: .warn, subject: subject, words: words)
        }

        var markup: Markup {
            "<li class=\"\(grade.rawValue)\"><span><b>\(subject)</b> · \(words)</span></li>\n"
        }
    }
}

extension StatusReport {
    /// The worst first: what loses events, or will, is bad.
    var worries: [StatusPage.Worry] {
        let all =
            obstacles.map { StatusPage.Worry.bad("Not ready", $0) } + journalWorries
            + kafkaWorries + topicWorries + portalWorries + senderWorries
        return all.filter { $0.grade == .bad } + all.filter { $0.grade != .bad }
    }

    private var journalWorries: [StatusPage.Worry] {
        var worries: [StatusPage.Worry] = []
        let lost = refusals.filter(\.lost)
        if let latest = lost.map(\.lastSecondsAgo).min() {
            let words = "\(latest < 3600 ? "in the last hour" : "since the start"); see Refused and lost"
            worries.append(latest < 3600 ? .bad("Events lost", words) : .warn("Events lost", words))
        }
        for (name, part) in [("Journal", journal), ("Parked records", parked)] {
            // What keeps the journal itself from taking events is an obstacle.
            if name != "Journal", part.state != "accepting" {
                worries.append(.bad(name, "their journal is \(part.state)"))
            }
            if let level = FillAlarm.levels.last(where: { part.fillRatio * 100 >= Double($0) }) {
                let grade: StatusPage.Grade = level == FillAlarm.levels.last ? .bad : .warn
                worries.append(StatusPage.Worry(grade: grade, subject: name, words: "more than \(level) % full"))
            }
            if part.damagedBytes > 0 || part.setAsideFiles > 0 {
                let words = "a part could not be read at the start; see b24bridge journal verify"
                worries.append(.warn(name, words))
            }
        }
        return worries
    }

    private var kafkaWorries: [StatusPage.Worry] {
        let part = kafka
        var worries: [StatusPage.Worry] = []
        if let words = part.unreachable {
            let outlook = journal.state == "accepting" ? ". Events wait in the journal." : "."
            worries.append(.warn("Kafka unreachable", words + outlook))
        } else {
            let down = part.brokers.filter { $0.standing == .down }
            if !down.isEmpty {
                let words = "\(down.count) of \(part.brokers.count): \(Self.few(down.map(\.name)))"
                worries.append(.warn("Brokers down", words))
            }
            if let age = part.oldestUndeliveredSeconds, age >= 300 {
                let words = "the oldest record has waited for longer than 5 minutes"
                worries.append(.warn("Kafka is behind", words))
            }
        }
        if let token = part.token, let failure = token.failure ?? ((token.secondsLeft ?? 1) <= 0 ? "expired" : nil) {
            worries.append(.warn("Token for Kafka", failure))
        }
        return worries
    }

    private var topicWorries: [StatusPage.Worry] {
        let topics = kafka.refusingTopics
        if topics.isEmpty, kafka.parkedRecords > 0 {
            let words = "refused for reasons of their own; see b24bridge journal inspect"
            return [.warn("Parked records", words)]
        }
        guard topics.count > 3 else {
            return topics.map { topic in
                let parked = topic.parked ? "; its records are parked" : ""
                return .warn("Topic \(topic.topic)", "\(topic.error)\(parked)")
            }
        }
        return [.warn("Topics refuse", Self.few(topics.map(\.topic)))]
    }

    private var portalWorries: [StatusPage.Worry] {
        var worries: [StatusPage.Worry] = []
        func portals(_ count: Int, _ words: String) {
            guard count > 0 else { return }
            worries.append(.warn(counted(count, "portal"), words))
        }
        if let fault = portalsFileFault {
            let words = "has faults, so that earlier portals stay in force, and a start would fail: \(fault)"
            worries.append(.warn("The portals' file", words))
        }
        portals(activity.silentPortals, "silent for longer than usual")
        let states = registry?.states ?? [:]
        portals(
            states[RegisteredPortal.State.needsAuthorization.rawValue] ?? 0,
            "cannot be called: an administrator there must open or install the application again"
        )
        portals(
            states[RegisteredPortal.State.offlineDenied.rawValue] ?? offline?.portalsDenied ?? 0,
            "whose offline events cannot be fetched; b24bridge offline status says why"
        )
        if let words = registry?.fault {
            worries.append(.warn("Registry", "cannot be read: \(words)"))
        }
        if let words = offline?.paused {
            worries.append(.warn("Offline events", "not fetched: \(words)"))
        }
        return worries
    }

    private var senderWorries: [StatusPage.Worry] {
        senders.lists.compactMap { list in
            if list.ageSeconds == nil {
                let why = list.failure.map { " (\($0))" } ?? ""
                let words = "never fetched\(why), so that everybody may send"
                return .warn("List \(list.name)", words)
            }
            return list.failure.map {
                .warn("List \(list.name)", "not fetched anew: \($0)")
            }
        }
    }

    private static func few(_ names: [String]) -> String {
        names.prefix(3).joined(separator: ", ") + (names.count > 3 ? " and \(counted(names.count - 3, "other"))" : "")
    }
}
