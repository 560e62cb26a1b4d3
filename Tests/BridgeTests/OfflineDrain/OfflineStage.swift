import Bitrix24
import Bitrix24REST
import Foundation
import KafkaClient
import Locks
import Simulation
import Synchronization
import Testing

@testable import Bridge

/// An owner's drain between portals whose events are bound offline, and a cluster of this process.
final class OfflineStage: Sendable {
    let owner: OwnerStage
    let cluster: MockCluster
    let signals = OfflineSignals()
    /// What the gate is told.
    let fill = Guarded(0.0)
    /// How often it has asked.
    let looks = Guarded(0)
    private let prefix = "o\(UUID().uuidString.prefix(8).lowercased())"

    var standIn: StandIn { owner.standIn }
    var logs: LogLines { owner.logs }
    var deadLetterTopic: String { "\(prefix).dead" }

    /// - Parameter rows: Of each portal, of deals, before anybody drains.
    static func with(
        portals: Int = 1,
        rows: Int = 0,
        subscriptions: String = "{offline: [ONCRMDEALADD, ONCRMDEALUPDATE, ONCRMLEADADD]}",
        adjust: (inout StandInSettings) -> Void = { _ in },
        _ body: (OfflineStage) async throws -> Void
    ) async throws {
        try await Kafka.withCluster { cluster in
            try await OwnerStage.with(portals: portals, subscriptions: subscriptions, adjust: adjust) { owner in
                let stage = try OfflineStage(owner, cluster)
                try await owner.owning {
                    for number in 1...portals { try await owner.waitForConnection("\(number)") }
                }
                for number in 1...portals where rows > 0 { try stage.add(rows, "\(number)") }
                try await body(stage)
            }
        }
    }

    private init(_ owner: OwnerStage, _ cluster: MockCluster) throws {
        self.owner = owner
        self.cluster = cluster
        let topic = try TopicTemplate("\(prefix).{entity}")
        owner.settings.withLock { settings in
            settings.kafka.bootstrapServers = cluster.bootstrapServers
            settings.kafka.deadLetterTopic = deadLetterTopic
            settings.kafka.topic = topic
            settings.kafka.properties = ["linger.ms": "0", "topic.metadata.propagation.max.ms": "300"]
        }
        for name in ["crm.deal", "crm.lead", "dead"] { try cluster.createTopic("\(prefix).\(name)") }
    }

    func topic(_ entity: String) -> String { "\(prefix).\(entity)" }

    func add(_ rows: Int, _ portal: String = "1", code: String = "ONCRMDEALADD", first: Int? = nil) throws {
        let made = standIn.addOfflineRows(rows, code: code, first: first, portal: portal, signals: false)
        try #require(made == rows)
    }

    func summary(_ portal: String = "1") throws -> StandIn.OfflineSummary {
        try #require(standIn.offlineSummary(of: portal))
    }

    /// Another owner, who knows nothing but what the registry has.
    func makeDrain(
        _ adjust: (inout OfflinePace) -> Void = { _ in },
        rest adjustREST: (inout RESTSettings) -> Void = { _ in }
    ) -> OfflineDrain {
        let settings = owner.settings.withLock { $0 }
        var rest = owner.rest
        adjustREST(&rest)
        var pace = OfflinePace(settings)
        pace.pollEvery = nil
        pace.firstRetry = 50
        pace.retryOfLost = 20
        pace.tick = .milliseconds(20)
        pace.scanEvery = .milliseconds(200)
        pace.burst = rest.burst
        pace.callsPerSecond = rest.perSecond
        adjust(&pace)
        let access = RegistryAccess(
            registry: owner.registry,
            keyring: owner.keyring,
            metrics: RESTWorkMetrics(factory: owner.metrics),
            now: { [owner] in owner.now },
            logger: logs.logger
        )
        return OfflineDrain(
            settings: settings,
            registry: owner.registry,
            client: RESTClient(http: owner.http, settings: rest, access: access),
            signals: signals,
            conditions: OfflineConditions(journalFill: { [self] in
                looks.withLock { $0 += 1 }
                return fill.withLock { $0 }
            }),
            metrics: OfflineMetrics(factory: owner.metrics),
            pace: pace,
            now: { [owner] in owner.now },
            logger: logs.logger
        )
    }

    /// Owns the queues while `body` runs.
    func draining<Value>(
        _ drain: OfflineDrain? = nil,
        _ body: (OfflineDrain) async throws -> Value
    ) async throws -> Value {
        let drain = drain ?? makeDrain()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await drain.run() }
            defer { group.cancelAll() }
            return try await body(drain)
        }
    }

    func waitUntilCleared(_ portal: String = "1", _ sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try await wait(
            for: "cleared: \(String(describing: standIn.offlineSummary(of: portal))); \(logs.lines.suffix(8))",
            within: .seconds(30),
            sourceLocation: sourceLocation
        ) {
            let summary = try self.summary(portal)
            return summary.waiting == 0 && summary.reserved == 0
        }
    }

    // MARK: What came of it

    /// Ids of all records of the topics, with repetitions.
    func ids(_ count: Int, _ entities: [String] = ["crm.deal", "crm.lead"]) async throws -> [String] {
        let records = try await Kafka.read(count, from: entities.map(topic), at: cluster.bootstrapServers)
        return try records.map { record in
            let value = try JSONValue(json: Data(record.value ?? []))
            return try #require(value["id"]?.text)
        }
    }

    /// Of all rows that are cleared, as an oracle derives them.
    func expectedIDs(_ portal: String = "1") throws -> Set<String> {
        let memberID = try owner.member(portal)
        return Set(
            standIn.offlineRows(of: portal).filter(\.isCleared).map { row in
                var text: [UInt8] = []
                EnvelopeID(offlineRow: "\(row.id)", changedAt: "\(row.handedOutAt ?? 0)", of: memberID).write(
                    into: &text
                )
                return String(decoding: text, as: UTF8.self)
            }
        )
    }

    func expectAllInKafka(
        rows: Int,
        _ portal: String = "1",
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let expected = try expectedIDs(portal)
        let ids = try await ids(rows)
        #expect(expected.count == rows, sourceLocation: sourceLocation)
        #expect(expected.subtracting(ids).isEmpty, "missing", sourceLocation: sourceLocation)
        #expect(Set(ids).subtracting(expected).isEmpty, "others", sourceLocation: sourceLocation)
    }
}
