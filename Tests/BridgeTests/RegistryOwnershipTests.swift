import KafkaClient
import Testing

@testable import Bridge

@Suite struct RegistryOwnershipTests {
    @Test func `one replica does the work, and when it stops the other takes over within seconds`() async throws {
        try await Kafka.withCluster { cluster in
            let topic = try RunningRegistry.newTopic(on: cluster)
            let first = try RunningRegistry("a", servers: cluster.bootstrapServers, topic: topic)
            try await wait(for: "an owner") { first.work.isRunning }
            #expect(first.parts.inbox.isOwner)
            let second = try RunningRegistry("b", servers: cluster.bootstrapServers, topic: topic)
            try await second.waitUntilRead()
            // Who joins may take over from the owner; then the first one is asked to stop as well, and nothing is seen of it.
            try await wait(for: "one owner", within: .seconds(20)) { first.work.isRunning != second.work.isRunning }
            let stopped = ContinuousClock.now
            try await first.stop()
            #expect(!first.work.isRunning)
            try await wait(for: "the other to take over", within: .seconds(20)) { second.work.isRunning }
            print("registry: taken over \(ContinuousClock.now - stopped) after the owner was asked to stop")
            try await second.stop()
        }
    }

    @Test func `a replica that may not be a member of the group says so, and is one when it may`() async throws {
        try await Kafka.withCluster { cluster in
            let topic = try RunningRegistry.newTopic(on: cluster)
            cluster.pushRequestErrors(.findCoordinator, Array(repeating: .groupAuthorizationFailed, count: 500))
            let replica = try RunningRegistry("a", servers: cluster.bootstrapServers, topic: topic)
            try await replica.waitUntilRead()
            try await wait(for: "the words; \(replica.logs.lines.suffix(5))", within: .seconds(20)) {
                replica.logs.contains("error this replica cannot take part", "\(topic).owner", "the right Read")
            }
            cluster.clearRequestErrors(.findCoordinator)
            try await wait(for: "an owner", within: .seconds(30)) { replica.work.isRunning }
            #expect(replica.logs.lines.count { $0.contains("cannot take part") } == 1)
            try await replica.stop()
        }
    }

    @Test func `an owner that cannot reach Kafka lets go of the work, and goes on when it can`() async throws {
        try await Kafka.withCluster { cluster in
            let topic = try RunningRegistry.newTopic(on: cluster)
            let replica = try RunningRegistry("a", servers: cluster.bootstrapServers, topic: topic)
            try await wait(for: "an owner") { replica.work.isRunning }
            try cluster.setBroker(up: false)
            let left = ContinuousClock.now
            try await wait(for: "the work to end", within: .seconds(20)) { !replica.work.isRunning }
            print("registry: let go \(ContinuousClock.now - left) after Kafka went away")
            #expect(!replica.parts.inbox.isOwner)
            try cluster.setBroker(up: true)
            try await wait(for: "the work to begin again", within: .seconds(30)) { replica.work.isRunning }
            #expect(replica.work.begun == 2)
            try await replica.stop()
        }
    }
}
