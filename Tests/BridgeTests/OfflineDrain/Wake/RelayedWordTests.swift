import Foundation
import KafkaClient
import Locks
import Synchronization
import Testing

@testable import Bridge

/// Word that goes from replica to replica through the registry's topic.
@Suite struct RelayedWordTests {
    @Test func `word at one replica reaches the one that drains, a burst of it as one a second`() async throws {
        try await Kafka.withCluster { cluster in
            let topic = try RunningRegistry.newTopic(on: cluster)
            let owner = try RunningRegistry("a", servers: cluster.bootstrapServers, topic: topic)
            let other = try RunningRegistry("b", servers: cluster.bootstrapServers, topic: topic)
            for replica in [owner, other] { try await replica.waitUntilRead() }
            try await HeardWords.hearing(owner.parts.signals) { heard in
                other.parts.signals.signal("p0")
                try await wait(for: "word") { heard.portals == ["p0"] }
                let started = ContinuousClock.now
                // One at once, one a second later.
                try await wait(for: "two words of the burst") {
                    for _ in 0..<100 { other.parts.signals.signal("p1") }
                    return heard.portals.count { $0 == "p1" } >= 2
                }
                // And what comes after the second was sent.
                other.parts.signals.signal("p1")
                try await wait(for: "the last of the burst") { heard.portals.count { $0 == "p1" } >= 3 }
                let seconds = Int((ContinuousClock.now - started).components.seconds)
                other.parts.signals.signal("p2")
                try await wait(for: "word of another portal") { heard.portals.contains("p2") }
                #expect(heard.portals.count { $0 == "p1" } <= seconds + 2)
                let words = heard.portals.count
                let records = try await Kafka.read(words, from: [topic], at: cluster.bootstrapServers)
                #expect(records.count >= words && records.allSatisfy { $0.value == nil })
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
            try await HeardWords.hearing(first.parts.signals) { heard in
                first.parts.inbox.tell(.portal("p1"))
                first.parts.inbox.tell(.everyPortal(because: "of no event"))
                try await wait(for: "word to be in the topic") { heard.portals == ["p1"] }
            }
            try await first.registry.change("p1") { $0.installation = .sample() }
            let second = try RunningRegistry("b", servers: cluster.bootstrapServers, topic: topic)
            try await HeardWords.hearing(second.parts.signals) { heard in
                try await second.waitUntilRead()
                first.parts.signals.signal("p2")
                try await wait(for: "word") { !heard.portals.isEmpty }
                #expect(heard.portals == ["p2"] && heard.reasons.isEmpty)
            }
            #expect(second.registry.memberIDs == ["p1"] && second.registry.allIDs == ["p1"])
            first.parts.signals.signalAll(because: "of a test")
            try await HeardWords.hearing(second.parts.signals) { heard in
                try await wait(for: "word of all portals") { heard.reasons == ["of a test"] }
            }
            #expect(![first, second].contains { $0.logs.contains("passed over") })
            for replica in [first, second] { try await replica.stop() }
        }
    }

    @Test func `ONOFFLINEEVENT at a bridge that does not drain is heard at the one that does`() async throws {
        try await Kafka.withCluster { cluster in
            let topic = try RunningRegistry.newTopic(on: cluster)
            let owner = try RunningRegistry("owner", servers: cluster.bootstrapServers, topic: topic)
            try await owner.waitUntilRead()
            try await HeardWords.hearing(owner.parts.signals) { heard in
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
