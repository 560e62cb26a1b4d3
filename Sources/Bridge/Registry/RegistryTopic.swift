internal import Foundation
package import KafkaClient

/// The registry's topic: how it is made, looked at, and read.
package struct RegistryTopic: Sendable {
    private let producer: ProducerConfiguration
    private let bootstrapServers: String
    private let properties: [String: String]
    package let name: String

    package init(_ settings: BridgeSettings) {
        name = settings.kafka.registryTopic
        producer = settings.producerConfiguration
        bootstrapServers = settings.kafka.bootstrapServers
        properties = settings.kafka.properties
    }

    /// What the topic is made with.
    package static let settings = [
        // Only the newest record of a portal is kept, for ever.
        "cleanup.policy": "compact",
        // Two replicas may write one portal at the same time, each without the other's part. The owner has so long to see it
        // and to write the portal with both.
        "min.compaction.lag.ms": "3600000",
        // That a portal was taken out stays so long to be seen by replicas that were away.
        "delete.retention.ms": "604800000",
        // Only closed segments are compacted, and there are few records.
        "segment.ms": "86400000", "segment.bytes": "16777216", "min.cleanable.dirty.ratio": "0.1",
    ]

    /// For how long a portal that is in a snapshot and not in the topic was lost rather than taken out: what brokers are
    /// content with, as the topic may have been made by others, and an hour less.
    static let snapshotIsYoung: Int64 = 23 * 3_600_000

    package enum Look: Sendable, Equatable {
        case usable
        case missing(brokers: Int)
        /// Works, but the replicas do not agree on one owner of the REST work's order.
        case partitions(Int)
    }

    /// Blocks for up to `timeout`. Creates nothing.
    package func look(timeout: Duration) throws(KafkaError) -> Look {
        let metadata = try clusterMetadata(of: producer, topics: [name], timeout: timeout)
        guard let topic = metadata.topic(named: name) else { return .missing(brokers: metadata.brokers.count) }
        switch topic.error {
        case nil: return topic.partitions.count == 1 ? .usable : .partitions(topic.partitions.count)
        case .unknownTopicOrPartition: return .missing(brokers: metadata.brokers.count)
        case let error?: throw KafkaError(code: error)
        }
    }

    /// - Throws: also when the credentials may not describe configurations.
    func cleanupPolicy(timeout: Duration) throws(KafkaError) -> String? {
        try topicSettings(of: name, on: producer, timeout: timeout)["cleanup.policy"]
    }

    /// Makes the topic if it is missing.
    ///
    /// - Throws: `topic`, with the command that makes it.
    func prepare(timeout: Duration) throws(RegistryError) -> Look {
        let found: Look
        do throws(KafkaError) {
            found = try look(timeout: timeout)
        } catch {
            throw RegistryError(.topic, "the topic \(name) cannot be looked at: \(error)")
        }
        guard case .missing(let brokers) = found else { return found }
        do throws(KafkaError) {
            try createTopic(
                name,
                partitions: 1,
                replicationFactor: Self.replicationFactor(brokers: brokers),
                properties: Self.settings,
                on: producer,
                timeout: timeout
            )
        } catch {
            guard error.code != .topicAlreadyExists else { return .usable }
            throw RegistryError(
                .topic,
                "the topic \(name) is missing and could not be created (\(error)); create it with: "
                    + command(brokers: brokers)
            )
        }
        return .usable
    }

    private static func replicationFactor(brokers: Int) -> Int { max(1, min(3, brokers)) }

    /// What a person runs who may create topics.
    package func command(brokers: Int) -> String {
        let configs = Self.settings.sorted { $0.key < $1.key }.map { " --config \($0.key)=\($0.value)" }.joined()
        return "kafka-topics --bootstrap-server \(bootstrapServers) --create --topic \(name) --partitions 1 "
            + "--replication-factor \(Self.replicationFactor(brokers: brokers))\(configs)"
    }

    package func severalPartitions(_ count: Int) -> String {
        "the topic \(name) has \(count) partitions and must have one: the replicas cannot agree on the owner of the REST work "
            + "reliably; set kafka.registryTopic to another name, and move the portals with portals export and import"
    }

    /// A consumer of the whole topic, without a group.
    func consumer(as purpose: String) throws(KafkaConfigurationError) -> KafkaConsumer {
        try KafkaConsumer(
            ConsumerConfiguration(
                bootstrapServers: bootstrapServers,
                clientID: "\(producer.clientID)-\(purpose)",
                groupID: "\(name).\(purpose)-\(UUID().uuidString)",
                // librdkafka fetches ahead up to 64 MiB, which is more than the portals take in the end.
                properties: ["queued.max.messages.kbytes": "2048"].merging(properties) { $1 },
                tokens: producer.tokens
            )
        )
    }

    /// The group whose members agree on the owner.
    func ownerGroup() -> ConsumerConfiguration {
        ConsumerConfiguration(
            bootstrapServers: bootstrapServers,
            clientID: "\(producer.clientID)-owner",
            groupID: "\(name).owner",
            start: .end,
            properties: properties.merging(
                [
                    // Brokers allow no shorter one (group.min.session.timeout.ms).
                    "session.timeout.ms": "6000", "heartbeat.interval.ms": "1000",
                    // Not cooperative-sticky: before librdkafka 2.3 a member that leaves before its first assignment ends the
                    // process (https://github.com/confluentinc/librdkafka/issues/4312). With one partition, all that is
                    // lost is that a replica that joins may take over from the owner.
                    "partition.assignment.strategy": "range",
                ],
                uniquingKeysWith: { $1 }
            ),
            tokens: producer.tokens
        )
    }

    func producerConfiguration() -> ProducerConfiguration {
        var configuration = producer
        configuration.clientID += "-registry"
        return configuration
    }
}
