import Foundation
import KafkaClient
import Locks
import Synchronization
import Testing

@testable import Bridge

/// Word that goes from replica to replica through the registry's topic.
@Suite struct RelayedWordTests {
    /// Keeps what a replica hears.
    private final class Heard: Sendable {
        private let all = Guarded<[String]>([])

        var portals: [String] { all.withLock { $0 } }

        func listen(to signals: OfflineSignals) async {
            for await memberID in signals.listen() { all.withLock { $0.append(memberID) } }
        }
    }

    private static func hearing<Value>(
        _ replica: RunningRegistry,
        _ body: (Heard) async throws -> Value
    ) async throws -> Value {
        let heard = Heard()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await heard.listen(to: replica.parts.signals) }
            defer { replica.parts.signals.deafen() }
            return try await body(heard)
        }
    }

    @Test func `word at one replica reaches the one that drains, a burst of it as one a second`() async throws {
        try await Kafka.withCluster { cluster in
            let topic = try RunningRegistry.newTopic(on: cluster)
            let owner = try RunningRegistry("a", servers: cluster.bootstrapServers, topic: topic)
            let other = try RunningRegistry("b", servers: cluster.bootstrapServers, topic: topic)
            for replica in [owner, other] { try await replica.waitUntilRead() }
            try await Self.hearing(owner) { heard in
                other.parts.signals.signal("p0")
                try await wait(for: "word") { heard.portals == ["p0"] }
                let started = ContinuousClock.now
                while .now < started + .milliseconds(1500) {
                    for _ in 0..<100 { other.parts.signals.signal("p1") }
                    try await Task.sleep(for: .milliseconds(5))
                }
                let seconds = Int((ContinuousClock.now - started).components.seconds)
                // One at once, one a second later, and the last when the second after that is over.
                try await wait(for: "the last of the burst") {
                    heard.portals.count { $0 == "p1" } >= 3
                }
                other.parts.signals.signal("p2")
                try await wait(for: "word of another portal") { heard.portals.contains("p2") }
                #expect(heard.portals.count { $0 == "p1" } <= seconds + 2)
                let records = try await Kafka.read(
                    heard.portals.count,
                    from: [topic],
                    at: cluster.bootstrapServers
                )
                #expect(records.count == heard.portals.count && records.allSatisfy { $0.value == nil })
            }
            #expect(owner.registry.allIDs.isEmpty && other.registry.allIDs.isEmpty)
            for replica in [owner, other] { try await replica.stop() }
        }
    }

    @Test func `whoever comes later hears nothing of what was said before, and reads portals as ever`() async throws {
        try await Kafka.withCluster { cluster in
            let topic = try RunningRegistry.newTopic(on: cluster)
            let first = try RunningRegistry("a", servers: cluster.bootstrapServers, topic: topic)
            try await first.waitUntilRead()
            try await Self.hearing(first) { heard in
                first.parts.inbox.tell(.portal("p1"))
                first.parts.inbox.tell(.everyPortal(because: "of no event"))
                try await wait(for: "word to be in the topic") { heard.portals == ["p1"] }
            }
            try await first.registry.change("p1") { $0.installation = .sample() }
            let second = try RunningRegistry("b", servers: cluster.bootstrapServers, topic: topic)
            try await Self.hearing(second) { heard in
                try await second.waitUntilRead()
                first.parts.signals.signal("p2")
                try await wait(for: "word") { !heard.portals.isEmpty }
                #expect(heard.portals == ["p2"])
            }
            #expect(second.registry.memberIDs == ["p1"] && second.registry.allIDs == ["p1"])
            let all = Guarded<[String]>([])
            second.parts.signals.drainAll { reason in all.withLock { $0.append(reason) } }
            #expect(all.withLock { $0 }.isEmpty)
            first.parts.signals.signalAll(because: "of a test")
            try await wait(for: "word of all portals") { all.withLock { $0 } == ["of a test"] }
            #expect(![first, second].contains { $0.logs.contains("passed over") })
            for replica in [first, second] { try await replica.stop() }
        }
    }

    @Test func `ONOFFLINEEVENT at a bridge that does not drain is heard at the one that does`() async throws {
        try await Kafka.withCluster { cluster in
            let topic = try RunningRegistry.newTopic(on: cluster)
            let owner = try RunningRegistry("owner", servers: cluster.bootstrapServers, topic: topic)
            try await owner.waitUntilRead()
            try await Self.hearing(owner) { heard in
                try await RunningBridge.with(
                    servers: cluster.bootstrapServers,
                    adjust: {
                        $0.keepsRegistry = true
                        $0.kafka.registryTopic = topic
                    },
                    { bridge in
                        try await wait(for: "readiness") { try await bridge.get("/readyz").status == 200 }
                        try await bridge.take([event("ONOFFLINEEVENT")])
                        try await wait(for: "word") { heard.portals == [memberID] }
                    }
                )
            }
            try await owner.stop()
        }
    }
}
