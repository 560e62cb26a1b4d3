import Foundation
import KafkaClient

/// What was delivered: one record as a consumer sees it.
struct DeliveredRecord: Sendable {
    var partition: Int32
    let key: String
    var id: String
    var sequence: String
    let entityID: String
    /// `data[FIELDS][N]`, by which a test finds its event again.
    let number: String
}

extension DeliveredRecord {
    /// - Returns: `nil` for a value that is no envelope.
    init?(_ record: ConsumedRecord) {
        guard let value = record.value,
            let envelope = try? JSONSerialization.jsonObject(with: Data(value)) as? [String: Any],
            let id = envelope["id"] as? String, let sequence = envelope["sequence"] as? String
        else { return nil }
        partition = record.partition
        key = String(decoding: record.key ?? [], as: UTF8.self)
        self.id = id
        self.sequence = sequence
        entityID = envelope["b24entityid"] as? String ?? ""
        let fields = (envelope["data"] as? [String: Any])?["FIELDS"] as? [String: Any]
        number = fields?["N"] as? String ?? ""
    }
}

/// The events of a topic, as they come.
final class RecordReader: Sendable {
    private struct Delivered {
        var records: [DeliveredRecord] = []
        var malformed = 0
    }

    private let reader: TopicReader<Delivered>

    init(_ topic: String, at servers: String) {
        reader = TopicReader(topic, at: servers, into: Delivered()) { delivered, record in
            if let record = DeliveredRecord(record) {
                delivered.records.append(record)
            } else {
                delivered.malformed += 1
            }
        }
    }

    var records: [DeliveredRecord] { reader.look { $0.records } }
    var numbers: Set<String> { reader.look { Set($0.records.map(\.number)) } }
    /// Why reading ended, if it did; records that are no envelope.
    var failure: String? {
        let malformed = reader.look { $0.malformed }
        return reader.failure ?? (malformed > 0 ? "\(malformed) are no envelopes" : nil)
    }

    func stop() { reader.stop() }
}
