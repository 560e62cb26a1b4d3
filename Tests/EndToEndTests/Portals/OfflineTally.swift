import Foundation
import KafkaClient

/// What a topic got of offline rows.
final class OfflineTally: Sendable {
    private struct Records {
        /// How often each id came.
        var counts: [UUID: Int] = [:]
        /// Records that are not what an offline row becomes, and why.
        var wrong: [String] = []
    }

    private let reader: TopicReader<Records>

    init(_ topic: String, at servers: String) {
        reader = TopicReader(topic, at: servers, into: Records()) { records, record in
            do {
                records.counts[try Self.id(record), default: 0] += 1
            } catch {
                records.wrong.append("\(error)")
            }
        }
    }

    /// How often each id came.
    var records: [UUID: Int] { reader.look { $0.counts } }
    /// Each id once.
    var count: Int { reader.look { $0.counts.count } }
    var wrong: [String] { reader.look { $0.wrong } + (reader.failure.map { [$0] } ?? []) }

    func stop() { reader.stop() }

    private static func id(_ record: ConsumedRecord) throws -> UUID {
        struct Wrong: Error { let value: String }
        let value = Data(record.value ?? [])
        let wrong = Wrong(value: String(decoding: value, as: UTF8.self))
        let json = try JSONSerialization.jsonObject(with: value)
        guard let envelope = json as? [String: Any], let id = (envelope["id"] as? String).flatMap(UUID.init),
            let key = envelope["partitionkey"] as? String, let entityID = envelope["b24entityid"] as? String,
            let fields = (envelope["data"] as? [String: Any])?["FIELDS"] as? [String: String]
        else { throw wrong }
        guard envelope["b24origin"] as? String == "offline", envelope["sequence"] == nil, fields["ID"] == entityID,
            key.hasSuffix("/crm.deal/\(entityID)"), Array(key.utf8) == record.key
        else { throw wrong }
        return id
    }
}
