import Bitrix24
import Foundation
import KafkaClient
import Locks
import Synchronization
import Testing

@testable import Bridge

/// A real producer before a cluster of this process.
@Suite(.timeLimit(.minutes(1))) struct OfflineSenderTests {
    private static func records(_ count: Int, topic: String, bytes: Int = 100) -> [EventRecord] {
        (0..<count).map { index in
            var record = EventRecord()
            record.topic = Array(topic.utf8)
            record.key = Array("\(index)".utf8)
            for _ in 0..<bytes { record.value.raw("x") }
            return record
        }
    }

    private static func with(
        adjust: (inout OfflineSender.Settings) -> Void = { _ in },
        _ body: (OfflineSender, MockCluster) async throws -> Void
    ) async throws {
        try await Kafka.withCluster { cluster in
            try cluster.createTopic("good")
            try cluster.createTopic("bad")
            var settings = BridgeSettings(
                topic: try TopicTemplate("t"),
                key: try KeyTemplate(KeyTemplate.defaultText),
                replica: "test-0"
            )
            settings.kafka.bootstrapServers = cluster.bootstrapServers
            settings.kafka.properties = ["linger.ms": "20", "topic.metadata.propagation.max.ms": "300"]
            var senderSettings = OfflineSender.Settings(settings)
            adjust(&senderSettings)
            let sender = OfflineSender(senderSettings, logger: LogLines().logger)
            try await withThrowingDiscardingTaskGroup { group in
                group.addTask { await sender.run() }
                try await body(sender, cluster)
                group.cancelAll()
            }
        }
    }

    /// Waits until the producer has so many records of which Kafka has not told.
    private static func waitForOpen(_ count: Int, _ sender: OfflineSender) async throws {
        let open = Guarded(0)
        try await wait(for: "\(count) records are open") {
            sender.inbox.order { producer in open.withLock { $0 = producer.openCount } }
            return open.withLock { $0 } == count
        }
    }

    @Test func `each record is told of, in the order of the batch, and batches wait for room`() async throws {
        try await Self.with(adjust: {
            $0.maxOpenBytes = 2000
            $0.maxOpenRecords = 10
        }) { sender, cluster in
            cluster.setTopicError("bad", .topicAuthorizationFailed)
            async let other = sender.send(Self.records(200, topic: "good"))
            let mixed = await sender.send(Self.records(1, topic: "good") + Self.records(1, topic: "bad"))
            #expect(mixed.first == .confirmed)
            guard case .refused = mixed.last else { throw WaitingEnded() }
            #expect(await other.allSatisfy { $0 == .confirmed })
            #expect(try await Kafka.read(201, from: ["good"], at: cluster.bootstrapServers).count == 201)
        }
    }

    @Test func `after a fatal error another producer goes on, and what was open is not confirmed`() async throws {
        try await Self.with { sender, cluster in
            #expect(await sender.send(Self.records(1, topic: "good")) == [.confirmed])
            try cluster.setRoundTrip(.seconds(3))
            async let open = sender.send(Self.records(3, topic: "good"))
            try await Self.waitForOpen(3, sender)
            sender.inbox.order { $0.simulateFatalError() }
            #expect(await open == [.unsent, .unsent, .unsent])
            try cluster.setRoundTrip(.zero)
            #expect(await sender.send(Self.records(1, topic: "good")) == [.confirmed])
        }
    }

    @Test func `that brokers were away is forgotten with the producer that knew it`() async throws {
        try await Self.with { sender, _ in
            #expect(await sender.send(Self.records(1, topic: "good")) == [.confirmed])
            sender.inbox.observe(.brokersUnreachable(KafkaError(code: .timedOut, message: "away")))
            sender.inbox.order { $0.simulateFatalError() }
            try await wait(for: "another producer") { sender.inbox.unreachableSince == nil }
        }
    }

    @Test func `of records that come back together each is judged alone`() async throws {
        // Long enough for all five to be in one request.
        try await Self.with(adjust: { $0.producer.properties["linger.ms"] = "500" }) { sender, cluster in
            cluster.pushRequestErrors(.produce, [.invalidRecord, .invalidRecord])
            let deliveries = await sender.send(Self.records(5, topic: "good"))
            // The first request was refused as a whole, the second had one record.
            #expect(deliveries.count { $0 == .confirmed } == 4)
            guard case .unusable = deliveries.first else { throw WaitingEnded() }
        }
    }

    @Test func `what a partition without a leader keeps is taken back, and the rest is not`() async throws {
        try await Self.with(adjust: {
            $0.stall = .seconds(1)
            $0.silence = .seconds(2)
        }) { sender, cluster in
            try cluster.setPartitionLeader(topic: "bad", partition: 0, broker: nil)
            let deliveries = await sender.send(Self.records(1, topic: "bad") + Self.records(5, topic: "good"))
            guard case .refused = deliveries.first else { throw WaitingEnded() }
            #expect(deliveries.dropFirst().allSatisfy { $0 == .confirmed })
        }
    }

    @Test func `whoever is cancelled learns that nothing is known`() async throws {
        try await Self.with { sender, cluster in
            try cluster.setBroker(up: false)
            let waiting = Task { await sender.send(Self.records(2, topic: "good")) }
            try await Self.waitForOpen(2, sender)
            waiting.cancel()
            #expect(await waiting.value == [.unsent, .unsent])
        }
    }
}
