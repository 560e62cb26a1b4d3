import Foundation
import Testing

@testable import KafkaClient

@Suite struct MetadataTests {
    @Test func `metadata tells brokers, topics and what is wrong with one`() throws {
        let cluster = try MockCluster(brokers: 2)
        defer { cluster.close() }
        try cluster.createTopic("t", partitions: 3, replicationFactor: 2)
        cluster.setTopicError("closed", .topicAuthorizationFailed)
        try cluster.setPartitionLeader(topic: "t", partition: 1, broker: 2)
        let configuration = ProducerConfiguration(bootstrapServers: cluster.bootstrapServers)

        let all = try clusterMetadata(of: configuration, timeout: .seconds(5))
        #expect(all.brokers.map(\.id).sorted() == [1, 2])
        #expect(all.brokers.allSatisfy { $0.host == "127.0.0.1" && $0.port > 0 })
        let topic = try #require(all.topic(named: "t"))
        #expect(topic.error == nil)
        #expect(topic.partitions.map(\.id) == [0, 1, 2])
        #expect(topic.partitions[1].leader == 2)
        #expect(topic.partitions[0].replicas.count == 2)

        let asked = try clusterMetadata(of: configuration, topics: ["closed", "t"], timeout: .seconds(5))
        #expect(asked.topic(named: "closed")?.error == .topicAuthorizationFailed)
        #expect(asked.topic(named: "t")?.partitions.count == 3)
    }

    /// The mock speaks an older Metadata request, which cannot say that the topic is not to be created.
    @Test(.enabled(if: Target.realServers != nil, "needs KAFKA_BOOTSTRAP_SERVERS"))
    func `asking for a topic does not create it`() throws {
        let configuration = ProducerConfiguration(bootstrapServers: try #require(Target.realServers))
        let name = "kafka-client-test-\(UUID().uuidString)"
        let asked = try clusterMetadata(of: configuration, topics: [name], timeout: .seconds(10))
        #expect(asked.topic(named: name)?.error == .unknownTopicOrPartition)
        #expect(try clusterMetadata(of: configuration, timeout: .seconds(10)).topic(named: name) == nil)
    }

    @Test func `an unreachable cluster is told with the server and the reason`() {
        let error = #expect(throws: KafkaError.self) {
            try clusterMetadata(of: ProducerConfiguration(bootstrapServers: "127.0.0.1:1"), timeout: .seconds(1))
        }
        #expect(error?.message.contains("127.0.0.1:1") == true, "\(String(describing: error))")
        #expect(error?.message.contains("refused") == true)
        #expect(error?.isRetriable == true)
    }

    @Test func `a configuration that cannot be used is told, too`() {
        let error = #expect(throws: KafkaError.self) {
            try clusterMetadata(of: ProducerConfiguration(bootstrapServers: ""), timeout: .seconds(1))
        }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains("bootstrap.servers") == true)
    }

    @Test func `creating a topic on a cluster that cannot is refused, not waited for`() throws {
        let cluster = try MockCluster()
        defer { cluster.close() }
        #expect(throws: KafkaError.self) {
            try createTopic(
                "t",
                partitions: 1,
                on: ProducerConfiguration(bootstrapServers: cluster.bootstrapServers),
                timeout: .seconds(1)
            )
        }
    }

    @Test(.enabled(if: Target.realServers != nil, "needs KAFKA_BOOTSTRAP_SERVERS"))
    func `creating a topic twice is refused on a real cluster`() throws {
        let target = try Target(partitions: 1)
        let configuration = ProducerConfiguration(bootstrapServers: target.servers)
        #expect(
            try clusterMetadata(of: configuration, topics: [target.topic], timeout: .seconds(10)).topics[0].error == nil
        )
        let error = #expect(throws: KafkaError.self) {
            try createTopic(target.topic, partitions: 1, on: configuration, timeout: .seconds(10))
        }
        #expect(error?.code == .topicAlreadyExists)
    }
}
