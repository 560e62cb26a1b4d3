internal import KafkaClient

/// What the registry of portals needs of Kafka.
extension BridgeCheck {
    /// Blocks for as long as Kafka takes, at most `timeout` for each question.
    func checkRegistry() -> [Finding] {
        guard settings.keepsRegistry else { return [] }
        let topic = RegistryTopic(settings)
        var findings = [look(at: topic)]
        if findings[0].grade == .good { findings += checkSettings(of: topic) }
        if settings.application.isConfigured, settings.secrets.current == nil {
            findings.append(
                Finding(
                    grade: .failure,
                    subject: "secrets.key",
                    text: "is missing, so no application can be installed: \(KeyringError.noKey)"
                )
            )
        }
        return findings
    }

    private func look(at topic: RegistryTopic) -> Finding {
        let subject = "registry \(topic.name)"
        do {
            switch try topic.look(timeout: timeout) {
            case .usable: return Finding(grade: .good, subject: subject, text: "is there, with one partition")
            case .partitions(let count):
                return Finding(grade: .failure, subject: subject, text: topic.severalPartitions(count))
            case .missing(let brokers):
                let text = "does not exist yet; serve creates it if it may, else do it with: "
                return Finding(grade: .warning, subject: subject, text: text + topic.command(brokers: brokers))
            }
        } catch {
            let text = "\(error.message); give this client the rights Read, Write and Describe on it"
            return Finding(grade: .failure, subject: subject, text: text)
        }
    }

    private func checkSettings(of topic: RegistryTopic) -> [Finding] {
        let subject = "registry \(topic.name)"
        do {
            let policy = try topic.cleanupPolicy(timeout: timeout)
            guard policy != "compact" else { return [] }
            let text =
                "has cleanup.policy=\(policy ?? "unknown"): Kafka would forget portals in time; set it with: kafka-configs "
                + "--bootstrap-server \(settings.kafka.bootstrapServers) --alter --entity-type topics --entity-name "
                + "\(topic.name) --add-config cleanup.policy=compact"
            return [Finding(grade: .failure, subject: subject, text: text)]
        } catch {
            let text =
                "its settings could not be looked at (\(error.message)); cleanup.policy must be compact, or Kafka forgets "
                + "portals in time"
            return [Finding(grade: .warning, subject: subject, text: text)]
        }
    }
}
