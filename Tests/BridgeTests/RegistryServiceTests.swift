import Bitrix24
import Foundation
import Glibc
import KafkaClient
import Testing

@testable import Bridge

@Suite struct RegistryServiceTests {
    @Test func `what one replica changes the others know, and one that comes later too`() async throws {
        try await Kafka.withCluster { cluster in
            let topic = try RunningRegistry.newTopic(on: cluster)
            let first = try RunningRegistry("a", servers: cluster.bootstrapServers, topic: topic)
            let second = try RunningRegistry("b", servers: cluster.bootstrapServers, topic: topic)
            try await second.waitUntilRead()
            let changes = second.registry.changes()
            try await first.registry.change("m") { $0.installation = .sample() }
            var heard = changes.makeAsyncIterator()
            #expect(await heard.next() == "m")
            #expect(second.registry.portal("m")?.installation == .sample())
            try await wait(for: "the portal to be published") { second.store.directory["m"] != nil }

            async let here: RegisteredPortal = first.order("1", of: "m")
            async let there: RegisteredPortal = second.registry.change("m") {
                $0.applicationTokens = .init(digests: ["00"], nonce: nil)
            }
            _ = try await (here, there)
            try await wait(for: "both parts at both replicas") {
                [first, second].allSatisfy {
                    let portal = $0.registry.portal("m")
                    return portal?.order?.id == "1" && portal?.applicationTokens?.digests == ["00"]
                }
            }
            try await second.registry.remove("m")
            try await wait(for: "the removal") {
                first.registry.portal("m") == nil && first.store.directory["m"] == nil
            }
            try await first.order("2", of: "n")
            let third = try RunningRegistry("c", servers: cluster.bootstrapServers, topic: topic)
            try await third.waitUntilRead()
            #expect(third.registry.memberIDs == ["n"])
            for replica in [first, second, third] { try await replica.stop() }
        }
    }

    @Test func `the owner writes again what two records leave out of each other`() async throws {
        try await Kafka.withCluster { cluster in
            let topic = try RunningRegistry.newTopic(on: cluster)
            let owner = try RunningRegistry("a", servers: cluster.bootstrapServers, topic: topic)
            try await wait(for: "an owner") { owner.work.isRunning }
            try await owner.order("1", of: "m")
            // As another replica writes it that has not read the order yet.
            var clock = RegistryClock(replica: "b")
            var entry = RegistryEntry(memberID: "m")
            entry.change(&clock) { $0.installation = .sample() }
            try await Self.send(entry, to: topic, at: cluster.bootstrapServers)
            try await wait(for: "a record with both parts") {
                let newest = try await Self.newestRecord(of: "m", in: topic, at: cluster.bootstrapServers)
                return newest.portal.order?.id == "1" && newest.portal.installation != nil
            }
            try await owner.stop()
        }
    }

    @Test func `with Kafka away a change is kept here, outlives a restart, and goes to Kafka when it is back`()
        async throws
    {
        try await Kafka.withCluster { cluster in
            let topic = try RunningRegistry.newTopic(on: cluster)
            let directory = try TemporaryDirectory()
            let before = try RunningRegistry("a", servers: cluster.bootstrapServers, topic: topic, directory: directory)
            try await before.waitUntilRead()
            try await before.order("1", of: "m")
            try await before.stop()

            try cluster.setBroker(up: false)
            let without = try RunningRegistry(
                "a",
                servers: cluster.bootstrapServers,
                topic: topic,
                directory: directory
            )
            #expect(without.registry.portal("m")?.order?.id == "1" && without.store.directory["m"] != nil)
            try await wait(for: "readiness") { without.isReady }
            #expect(!without.registry.isRead)
            try await without.order("2", of: "m", until: .here)
            let error = await #expect(throws: RegistryError.self) { try await without.order("3", of: "n") }
            #expect(error?.code == .unconfirmed)
            await without.abandon()

            let again = try RunningRegistry("a", servers: cluster.bootstrapServers, topic: topic, directory: directory)
            #expect(again.registry.portal("m")?.order?.id == "2" && again.registry.portal("n")?.order?.id == "3")
            #expect(again.registry.census().unconfirmed == 2)
            try cluster.setBroker(up: true)
            try await wait(for: "all to be confirmed", within: .seconds(30)) {
                again.registry.census().unconfirmed == 0 && again.registry.isRead
            }
            let other = try RunningRegistry("b", servers: cluster.bootstrapServers, topic: topic)
            try await other.waitUntilRead()
            #expect(other.registry.portal("m")?.order?.id == "2" && other.registry.portal("n")?.order?.id == "3")
            try await other.stop()
            try await again.stop()
        }
    }

    @Test func `a replica without a snapshot is ready only when it has read the registry`() async throws {
        try await Kafka.withCluster { cluster in
            let topic = try RunningRegistry.newTopic(on: cluster)
            try cluster.setBroker(up: false)
            let replica = try RunningRegistry("a", servers: cluster.bootstrapServers, topic: topic)
            #expect(!replica.isReady)
            try await wait(for: "the reason") {
                replica.parts.health.obstacles.contains { $0.contains(topic) && $0.contains("looked at") }
            }
            #expect(!replica.isReady)
            try cluster.setBroker(up: true)
            try await wait(for: "readiness", within: .seconds(20)) { replica.isReady }
            #expect(replica.registry.isRead)
            try await replica.stop()
        }
    }

    @Test func `a snapshot alone makes a replica ready only when the registry was waited for`() async throws {
        try await Kafka.withCluster { cluster in
            let topic = try RunningRegistry.newTopic(on: cluster)
            let directory = try TemporaryDirectory()
            func replica(runs: Bool) throws -> RunningRegistry {
                try RunningRegistry(
                    "a",
                    servers: cluster.bootstrapServers,
                    topic: topic,
                    directory: directory,
                    runs: runs
                )
            }
            let before = try replica(runs: true)
            try await before.waitUntilRead()
            try await before.order("1", of: "m")
            try await before.stop()
            let after = try replica(runs: false)
            #expect(after.parts.status.snapshotAt != nil && !after.isReady)
            // Portals that were installed meanwhile are known when it is read.
            _ = after.registry.reachedEnd(.lost)
            after.parts.tellHealth()
            #expect(after.isReady)
            let waiting = try replica(runs: false)
            waiting.parts.status.waited()
            waiting.parts.tellHealth()
            #expect(waiting.isReady)
        }
    }

    @Test func `a snapshot that cannot be used never blocks a start`() async throws {
        try await Kafka.withCluster { cluster in
            let topic = try RunningRegistry.newTopic(on: cluster)
            let directory = try TemporaryDirectory()
            let before = try RunningRegistry("a", servers: cluster.bootstrapServers, topic: topic, directory: directory)
            try await before.waitUntilRead()
            try await before.order("1", of: "m")
            try await before.stop()
            let other = BridgeSettings.Secrets(current: KeyringTests.key("2"), previous: [])
            let after = try RunningRegistry(
                "a",
                servers: cluster.bootstrapServers,
                topic: topic,
                directory: directory,
                secrets: other
            )
            #expect(!after.isReady)
            #expect(after.logs.contains("error", "portals.snapshot", "\"1\"", "secrets.previousKeys"))
            try await wait(for: "readiness") { after.isReady }
            #expect(after.registry.portal("m") != nil)
            try await after.stop()
        }
    }

    @Test func `a topic that is missing and cannot be made is named with the command that makes it`() async throws {
        try await Kafka.withCluster { cluster in
            // The in-process cluster creates what it is asked for, so its absence is ordered.
            try cluster.createTopic("not-there")
            cluster.setTopicError("not-there", .unknownTopicOrPartition)
            let replica = try RunningRegistry("a", servers: cluster.bootstrapServers, topic: "not-there")
            try await wait(
                for: "the command; \(replica.parts.health.obstacles)",
                within: .seconds(20)
            ) {
                replica.parts.health.obstacles.contains {
                    $0.contains(
                        "kafka-topics --bootstrap-server \(cluster.bootstrapServers) --create --topic not-there"
                    )
                        && $0.contains("cleanup.policy=compact")
                }
            }
            #expect(replica.logs.contains("error", "kafka-topics"))
            cluster.setTopicError("not-there", .noError)
            try await wait(for: "readiness", within: .seconds(20)) { replica.isReady }
            try await replica.stop()
        }
    }

    @Test func `a topic of several partitions is named, and its portals are known all the same`() async throws {
        try await Kafka.withCluster { cluster in
            try cluster.createTopic("several", partitions: 3)
            let replica = try RunningRegistry("a", servers: cluster.bootstrapServers, topic: "several")
            for number in 0..<10 { try await replica.order("1", of: "m\(number)") }
            #expect(replica.logs.contains("error", "has 3 partitions"))
            let other = try RunningRegistry("b", servers: cluster.bootstrapServers, topic: "several")
            try await other.waitUntilRead()
            #expect(other.registry.memberIDs.count == 10)
            for replica in [replica, other] { try await replica.stop() }
        }
    }

    @Test func `while Kafka cannot be reached the writer rests, however much waits for it`() async throws {
        let replica = try RunningRegistry("a", servers: "127.0.0.1:1", topic: "registry", runs: false)
        let waiting = (0..<500).map { number in
            var clock = RegistryClock(replica: "a")
            var entry = RegistryEntry(memberID: "m\(number)")
            entry.change(&clock) { $0.installation = .sample() }
            return entry
        }
        replica.registry.restore([], unconfirmed: waiting)
        let parts = replica.parts
        let used = try await blocking {
            let writer = try RegistryWriter(parts)
            parts.inbox.stop(deadline: .now + .seconds(2))
            let before = Self.threadTime()
            try writer.run()
            return Self.threadTime() - before
        }
        #expect(replica.registry.census().unconfirmed == 500)
        #expect(used < .milliseconds(300), "the writer's thread was busy for \(used) of 2 s")
    }

    /// What the processor has done for this thread.
    private static func threadTime() -> Duration {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    @Test func `hundreds of changes do not keep a replica from publishing, and are all seen`() async throws {
        try await Kafka.withCluster { cluster in
            let topic = try RunningRegistry.newTopic(on: cluster)
            let writer = try RunningRegistry("a", servers: cluster.bootstrapServers, topic: topic, owns: false)
            let reader = try RunningRegistry("b", servers: cluster.bootstrapServers, topic: topic, owns: false)
            try await reader.waitUntilRead()
            let version = reader.store.version
            let started = ContinuousClock.now
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<1000 {
                    group.addTask { try await writer.order("\(number)", of: "m\(number % 500)") }
                }
                try await group.waitForAll()
            }
            try await wait(for: "all portals") { reader.store.directory.count == 500 }
            let publications = reader.store.version - version
            let elapsed = ContinuousClock.now - started
            #expect(publications <= Int(elapsed / RegistryFollower.publishInterval) + 2)
            for replica in [writer, reader] { try await replica.stop() }
        }
    }

    // MARK: The topic, seen from outside

    static func send(_ entry: RegistryEntry, to topic: String, at servers: String) async throws {
        try await blocking {
            let producer = try KafkaProducer(ProducerConfiguration(bootstrapServers: servers))
            defer { producer.close() }
            let value = RegistryRecord.value(of: entry) ?? []
            let key = Array(entry.memberID.utf8)
            try value.withUnsafeBytes { value in
                let outcome = Array(topic.utf8).withUnsafeBytes { name in
                    key.withUnsafeBytes { key in
                        producer.send(
                            to: producer.topic(named: name),
                            key: key,
                            value: value,
                            headers: UnsafeBufferPointer(start: nil, count: 0),
                            opaque: 1
                        )
                    }
                }
                try #require(outcome == .queued)
                while producer.poll(upTo: .seconds(1), maxReports: 10, { _ in }) == 0 {}
            }
        }
    }

    static func newestRecord(of memberID: String, in topic: String, at servers: String) async throws -> RegistryEntry {
        let records = try await Kafka.read(1, from: [topic], at: servers)
        let newest = try #require(records.last { $0.key == Array(memberID.utf8) })
        return try RegistryRecord.entry(newest)
    }
}
