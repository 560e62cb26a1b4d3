internal import CLibrdkafka

/// What a cluster says of itself at one moment.
package struct ClusterMetadata: Sendable, Equatable {
    package struct Broker: Sendable, Equatable {
        package let id: Int32
        package let host: String
        package let port: Int32
    }

    package struct Topic: Sendable, Equatable {
        package let name: String
        /// `nil` when the topic is usable.
        package let error: KafkaErrorCode?
        package let partitions: [Partition]
    }

    package struct Partition: Sendable, Equatable {
        package let id: Int32
        /// -1 when there is none.
        package let leader: Int32
        package let replicas: [Int32]
        package let inSyncReplicas: [Int32]
        package let error: KafkaErrorCode?
    }

    package let brokers: [Broker]
    package let topics: [Topic]

    package func topic(named name: String) -> Topic? { topics.first { $0.name == name } }
}

/// Asks the cluster with a short-lived client of its own. Blocks for up to `timeout`, and a little more to end it.
///
/// - Parameter topics: ask for these only, and learn of each why it cannot be used (missing, no rights); they are not
///   created. `nil` asks for all that the credentials may see.
/// - Throws: `invalidArgument` for a configuration that `validate` refuses; `transport` or `timedOut` with librdkafka's
///   last complaint when no broker answers.
package func clusterMetadata(
    of configuration: ProducerConfiguration,
    topics: [String]? = nil,
    timeout: Duration
) throws(KafkaError) -> ClusterMetadata {
    let client = try QueryClient(configuration)
    defer { client.close() }
    let deadline = ContinuousClock.now + timeout
    guard let topics else { return try client.metadata(of: nil, deadline: deadline) }
    var brokers: [ClusterMetadata.Broker] = []
    var found: [ClusterMetadata.Topic] = []
    for name in topics {
        let answer = try client.metadata(of: name, deadline: deadline)
        brokers = answer.brokers
        found += answer.topics
    }
    return ClusterMetadata(brokers: brokers, topics: found)
}

/// Creates a topic with a short-lived client of its own, and waits until the controller has it. `replicationFactor` -1
/// leaves it to the cluster. `topicAlreadyExists` is thrown like any other refusal.
package func createTopic(
    _ name: String,
    partitions: Int,
    replicationFactor: Int = -1,
    properties: [String: String] = [:],
    on configuration: ProducerConfiguration,
    timeout: Duration
) throws(KafkaError) {
    let client = try QueryClient(configuration)
    defer { client.close() }
    try client.createTopic(
        name,
        partitions: partitions,
        replicationFactor: replicationFactor,
        properties: properties,
        timeout: timeout
    )
}

/// The settings of a topic by name, those that it has of the brokers' defaults included, with a short-lived client of its
/// own. Blocks for up to `timeout` and a second.
package func topicSettings(
    of topic: String,
    on configuration: ProducerConfiguration,
    timeout: Duration
) throws(KafkaError) -> [String: String] {
    let client = try QueryClient(configuration)
    defer { client.close() }
    return try client.topicSettings(of: topic, timeout: timeout)
}
