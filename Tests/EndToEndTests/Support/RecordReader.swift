import Foundation
import KafkaClient
import Locks
import Synchronization

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

/// Reads a topic while records come: the in-process cluster keeps about 5 MiB of a partition.
final class RecordReader: Sendable {
    private struct State {
        var records: [DeliveredRecord] = []
        var malformed = 0
        var failure: String?
        var isStopped = false
    }

    private let state = Guarded(State())

    init(_ topic: String, at servers: String) {
        let thread = Thread { [self] in
            do {
                try read(topic, servers)
            } catch {
                state.withLock { $0.failure = "\(error)" }
            }
        }
        thread.start()
    }

    var records: [DeliveredRecord] { state.withLock { $0.records } }
    var numbers: Set<String> { state.withLock { Set($0.records.map(\.number)) } }
    /// Why reading ended, if it did; records that are no envelope.
    var failure: String? {
        state.withLock { $0.failure ?? ($0.malformed > 0 ? "\($0.malformed) are no envelopes" : nil) }
    }

    func stop() { state.withLock { $0.isStopped = true } }

    private func read(_ topic: String, _ servers: String) throws {
        let consumer = try KafkaConsumer(ConsumerConfiguration(bootstrapServers: servers, groupID: "e2e-\(UUID())"))
        defer { consumer.close() }
        // The in-process cluster creates the topic when it is asked for, with 4 partitions.
        let deadline = ContinuousClock.now + .seconds(20)
        while true {
            do {
                try consumer.assign(topics: [topic], timeout: .seconds(5))
                break
            } catch {
                guard ContinuousClock.now < deadline else { throw error }
                Thread.sleep(forTimeInterval: 0.02)
            }
        }
        while !state.withLock({ $0.isStopped }) {
            guard let record = try consumer.poll(upTo: .milliseconds(100)) else { continue }
            let delivered = DeliveredRecord(record)
            state.withLock { state in
                if let delivered { state.records.append(delivered) } else { state.malformed += 1 }
            }
        }
    }
}
