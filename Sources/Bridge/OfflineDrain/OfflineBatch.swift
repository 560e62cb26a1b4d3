internal import Bitrix24
internal import KafkaClient

/// What became of a record.
enum OfflineDelivery: Sendable, Equatable {
    /// All in-sync replicas have it.
    case confirmed
    /// Its topic takes none today, or did not in time. Others are not concerned.
    case refused(KafkaError)
    /// It was refused for a reason of its own, though it was sent alone.
    case unusable(KafkaError)
    /// Nobody knows, or nobody tried: the drain ends, or the producer did. It may be there all the same.
    case unsent
}

/// Records that are sent together, and whoever waits for them. After it was handed over it belongs to the sender's thread.
final class OfflineBatch {
    let number: UInt64
    let records: [EventRecord]
    /// Since when Kafka has it, or since when it could have had it.
    var sentAt: [ContinuousClock.Instant?]
    /// Taken back, because Kafka told nothing of it.
    var isStalled: [Bool]
    private var deliveries: [OfflineDelivery?]
    private(set) var left: Int
    private let settled: CheckedContinuation<[OfflineDelivery], Never>

    init(
        _ number: UInt64,
        _ records: [EventRecord],
        _ settled: CheckedContinuation<[OfflineDelivery], Never>
    ) {
        self.number = number
        self.records = records
        sentAt = Array(repeating: nil, count: records.count)
        isStalled = Array(repeating: false, count: records.count)
        deliveries = Array(repeating: nil, count: records.count)
        left = records.count
        self.settled = settled
    }

    func isSettled(_ index: Int) -> Bool { deliveries[index] != nil }

    /// Tells whoever waits as soon as all are settled. A record that is settled stays as it is.
    func settle(_ index: Int, _ delivery: OfflineDelivery) {
        guard deliveries[index] == nil else { return }
        deliveries[index] = delivery
        left -= 1
        if left == 0 { settled.resume(returning: deliveries.map { $0 ?? .unsent }) }
    }

    func abandon() {
        for index in records.indices { settle(index, .unsent) }
    }
}

/// One record of a batch.
struct OfflinePlace {
    let batch: OfflineBatch
    let index: Int

    var isSettled: Bool { batch.isSettled(index) }
    var record: EventRecord { batch.records[index] }

    static func isBefore(_ left: OfflinePlace, _ right: OfflinePlace) -> Bool {
        (left.batch.number, left.index) < (right.batch.number, right.index)
    }
}
