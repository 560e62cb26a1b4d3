package import Bitrix24
internal import Journal
internal import KafkaClient

/// Looks at everything that serving needs, before it is needed: journal, Kafka settings, cluster, topics, portals.
package struct BridgeCheck: Sendable {
    package struct Finding: Sendable, Codable {
        package enum Grade: String, Sendable, Codable {
            case good
            case warning
            case failure
        }

        package var grade: Grade
        package var subject: String
        /// What is, and the mend if it is not well.
        package var text: String

        package init(grade: Grade, subject: String, text: String) {
            self.grade = grade
            self.subject = subject
            self.text = text
        }
    }

    let settings: BridgeSettings
    let portals: PortalDirectory
    let timeout: Duration
    /// Where the lists of Bitrix24's senders are published; a test puts its own there.
    var senderListAddress: @Sendable (SenderList) -> String = { $0.address }

    package init(settings: BridgeSettings, portals: PortalDirectory, timeout: Duration) {
        self.settings = settings
        self.portals = portals
        self.timeout = timeout
    }

    /// Blocks for as long as the file system and Kafka take, Kafka at most `timeout`. With `kafka.oauth`, after `runOutbound`.
    package func run() -> [Finding] {
        var findings = [checkPortals()]
        findings.append(checkJournal(settings.journalConfiguration, maxBytes: settings.journal.maxBytes))
        // It is opened with the main journal's quota on top; what counts is its own.
        findings.append(checkJournal(settings.parkedConfiguration, maxBytes: settings.parkedMaxBytes))
        let kafka = checkKafka()
        findings += kafka
        // A cluster that does not answer is told once.
        if kafka.contains(where: { $0.subject.hasPrefix("kafka ") && $0.grade == .good }) {
            findings += checkRegistry()
        }
        return findings
    }

    private func checkPortals() -> Finding {
        let file = settings.portalsFile.isEmpty ? "in no file" : "in \(settings.portalsFile)"
        return portals.count > 0 || settings.keepsRegistry
            ? Finding(grade: .good, subject: "portals", text: "\(portals.count) \(file)")
            : Finding(
                grade: .warning,
                subject: "portals",
                text: "none \(file); every event will be refused until one is added"
            )
    }

    private func checkJournal(_ configuration: JournalConfiguration, maxBytes: Int) -> Finding {
        var finding = Finding(grade: .good, subject: "journal \(configuration.directory)", text: "")
        do {
            let journal = try Journal.open(configuration)
            defer { journal.close() }
            let used = Words.bytes(journal.statistics.diskBytes)
            finding.text = "can be written; \(used) of \(Words.bytes(maxBytes)) used"
        } catch {
            let isInUse = error.code == .locked
            finding.grade = isInUse ? .good : .failure
            finding.text =
                isInUse
                ? "in use, by a running bridge presumably; that is fine (a second bridge needs a directory of its own)"
                : error.description
        }
        return finding
    }

    private func checkKafka() -> [Finding] {
        let producer = settings.producerConfiguration
        do {
            try validate(producer)
        } catch {
            return error.faults.map { Finding(grade: .failure, subject: "kafka.properties", text: "\($0)") }
        }
        do {
            let metadata = try clusterMetadata(of: producer, topics: topics, timeout: timeout)
            var findings = [
                Finding(
                    grade: .good,
                    subject: "kafka \(producer.bootstrapServers)",
                    text: counted(metadata.brokers.count, "broker")
                )
            ]
            findings += findingsAboutTopics(in: metadata)
            if settings.kafka.topic.names(of: EventCatalog.standard) == nil {
                findings.append(
                    Finding(
                        grade: .warning,
                        subject: "topics",
                        text: "kafka.topic depends on the portal, so its topics were not looked at"
                    )
                )
            }
            return findings
        } catch {
            return [
                Finding(
                    grade: .failure,
                    subject: "kafka \(producer.bootstrapServers)",
                    text: "\(error); check kafka.bootstrapServers, the network and the credentials in "
                        + (settings.kafka.oauth == nil ? "kafka.properties" : "kafka.oauth")
                )
            ]
        }
    }

    /// Topics known before any event: the dead-letter topic, and those of the catalog unless they depend on the portal.
    private var topics: [String] {
        var names: Set<String> = [settings.kafka.deadLetterTopic]
        names.formUnion(settings.kafka.topic.names(of: EventCatalog.standard) ?? [])
        return names.sorted()
    }

    private func findingsAboutTopics(in metadata: ClusterMetadata) -> [Finding] {
        var usable: [String] = []
        var missing: [String] = []
        var findings: [Finding] = []
        for topic in topics {
            switch metadata.topic(named: topic)?.error {
            case .none where metadata.topic(named: topic) != nil: usable.append(topic)
            case .none, .some(.unknownTopicOrPartition), .some(.leaderNotAvailable): missing.append(topic)
            case .some(let error):
                findings.append(
                    Finding(
                        grade: .failure,
                        subject: "topic \(topic)",
                        text: "\(error.explanation); give this client the rights Write and Describe on it"
                    )
                )
            }
        }
        if !usable.isEmpty {
            findings.append(Finding(grade: .good, subject: "topics", text: "\(usable.count) can be written"))
        }
        if !missing.isEmpty {
            findings.append(
                Finding(
                    grade: .warning,
                    subject: "topics",
                    text: "\(missing.count) do not exist yet; create those you need, or let the brokers do it: "
                        + missing.joined(separator: " ")
                )
            )
        }
        return findings
    }
}
