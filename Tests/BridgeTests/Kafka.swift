import Foundation
import KafkaClient
import Testing

/// Clusters of this process, or the real one that the environment names.
enum Kafka {
    static let realServers = ProcessInfo.processInfo.environment["KAFKA_BOOTSTRAP_SERVERS"]

    /// For tests that order no faults. Left to the end of the process: closing one takes a second.
    private static let shared = Result { try MockCluster() }

    static var servers: String {
        get throws { try realServers ?? shared.get().bootstrapServers }
    }

    /// A cluster for a test that orders faults.
    static func withCluster<Value>(_ body: (MockCluster) async throws -> Value) async throws -> Value {
        let cluster = try await blocking { try MockCluster() }
        do {
            let value = try await body(cluster)
            try await blocking { cluster.close() }
            return value
        } catch {
            try await blocking { cluster.close() }
            throw error
        }
    }

    /// Reads until `count` records have come and the end of all partitions is reached.
    static func read(
        _ count: Int,
        from topics: [String],
        at servers: String,
        within limit: Duration = .seconds(15)
    ) async throws -> [ConsumedRecord] {
        try await blocking {
            let consumer = try KafkaConsumer(
                ConsumerConfiguration(bootstrapServers: servers, groupID: "g-\(UUID().uuidString)")
            )
            defer { consumer.close() }
            try consumer.assign(topics: topics, timeout: limit)
            let deadline = ContinuousClock.now + limit
            var records: [ConsumedRecord] = []
            while records.count < count || !consumer.isAtEnd {
                guard ContinuousClock.now < deadline else { break }
                if let record = try consumer.poll(upTo: .milliseconds(50)) { records.append(record) }
            }
            return records
        }
    }
}

/// A record that Kafka confirmed, as the shipper saw it.
struct Delivered: Sendable {
    let topic: String
    let key: String
    let value: String
    let headers: [String: String]

    /// The attribute of a structured envelope.
    func attribute(_ name: String) -> String? {
        (try? JSONSerialization.jsonObject(with: Data(value.utf8)) as? [String: Any])?[name] as? String
    }

    var id: String { headers["ce_id"] ?? headers["b24_id"] ?? "" }
    /// `data.FIELDS.ID`
    var entityID: String { attribute("b24entityid") ?? "" }
    var position: UInt64? { attribute("sequence").flatMap { UInt64($0.suffix(20)) } }
}
