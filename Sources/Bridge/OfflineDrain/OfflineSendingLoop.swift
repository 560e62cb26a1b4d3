internal import Bitrix24
internal import DequeModule
internal import KafkaClient
internal import Logging

/// The sender's thread. All state belongs to it, so nothing here is locked.
///
/// - A record that comes back for no reason of its own is sent again, in its place among the others.
/// - Of records that brokers refuse for a reason of a record, each is sent alone: librdkafka gives all of a request the
///   same answer.
/// - A record of which Kafka tells nothing is taken back, or its batch would wait without end.
final class OfflineSendingLoop {
    private let settings: OfflineSender.Settings
    private let inbox: OfflineSenderInbox
    private let logger: Logger
    private var producer: RecordProducer<OfflinePlace>
    private let clock = ContinuousClock()
    private var batches: [UInt64: OfflineBatch] = [:]
    /// To be sent, in order.
    private var line: Deque<OfflinePlace> = []
    /// To be sent alone.
    private var suspects: Deque<OfflinePlace> = []
    private var isSendingAlone = false
    private var returned: [OfflinePlace] = []
    private var pausedUntil: ContinuousClock.Instant
    private var lastConfirmation: ContinuousClock.Instant
    /// Patience begins when brokers are back.
    private var reachableSince: ContinuousClock.Instant
    private var nextLook: ContinuousClock.Instant

    init(
        _ settings: OfflineSender.Settings,
        _ inbox: OfflineSenderInbox,
        logger: Logger
    ) throws(KafkaConfigurationError) {
        self.settings = settings
        self.inbox = inbox
        self.logger = logger
        producer = try Self.producer(settings, inbox)
        let now = clock.now
        (pausedUntil, lastConfirmation, reachableSince, nextLook) = (now, now, now, now)
        inbox.beginAnew()
    }

    private static func producer(
        _ settings: OfflineSender.Settings,
        _ inbox: OfflineSenderInbox
    ) throws(KafkaConfigurationError) -> RecordProducer<OfflinePlace> {
        try RecordProducer(settings.producer, didDeliver: settings.didDeliver) { event in inbox.observe(event) }
    }

    /// Returns when it is stopped.
    ///
    /// - Throws: when no producer can be made, for want of threads or memory.
    func run() throws(KafkaConfigurationError) {
        inbox.attach(producer.wakeHandle)
        defer {
            inbox.attach(nil)
            producer.close()
            for batch in batches.values { batch.abandon() }
        }
        while !inbox.isStopped {
            inbox.takeErrand()?(producer)
            if producer.fatalError != nil { try rebuildProducer() }
            for batch in inbox.takeBatches() {
                batches[batch.number] = batch
                line.append(contentsOf: batch.records.indices.map { OfflinePlace(batch: batch, index: $0) })
            }
            for number in inbox.takeCancelled(Set(batches.keys)) { batches.removeValue(forKey: number)?.abandon() }
            let now = clock.now
            send(now)
            if now >= nextLook { lookForStalled(now) }
            let wait: Duration = now < pausedUntil ? min(pausedUntil - now, .seconds(1)) : .seconds(1)
            producer.poll(upTo: wait) { place, error in take(place, error) }
            takeBackReturned()
        }
    }

    private func send(_ now: ContinuousClock.Instant) {
        guard now >= pausedUntil else { return }
        while let place = suspects.first {
            guard !place.isSettled else {
                suspects.removeFirst()
                continue
            }
            // Alone in its request: nothing else is open.
            if producer.openCount == 0, offer(place, now) {
                suspects.removeFirst()
                isSendingAlone = producer.openCount > 0
            }
            return
        }
        guard !isSendingAlone else { return }
        while let place = line.first, hasRoom {
            guard place.isSettled || offer(place, now) else { return }
            line.removeFirst()
        }
    }

    private var hasRoom: Bool {
        producer.openCount < settings.maxOpenRecords && producer.openBytes < settings.maxOpenBytes
    }

    /// - Returns: whether the place is done with here.
    private func offer(_ place: OfflinePlace, _ now: ContinuousClock.Instant) -> Bool {
        switch producer.send(place.record, as: place) {
        case .queued:
            place.batch.sentAt[place.index] = now
            return true
        case .queueFull: return false
        case .rejected(let error) where error.isFatal: return false
        case .rejected(let error):
            settle(place, error.disposition == .record ? .unusable(error) : .refused(error))
            return true
        }
    }

    private func take(_ place: OfflinePlace, _ error: KafkaError?) {
        place.batch.sentAt[place.index] = nil
        let wasAlone = isSendingAlone
        isSendingAlone = false
        guard let error else {
            lastConfirmation = clock.now
            return settle(place, .confirmed)
        }
        switch error.disposition {
        case .delivered: settle(place, .confirmed)
        case .notDelivered where place.batch.isStalled[place.index]:
            if inbox.unreachableSince != nil { return settle(place, .unsent) }
            settle(place, .refused(KafkaError(code: .timedOut, message: "Kafka has not confirmed it in time")))
        case .notDelivered where producer.fatalError == nil: returned.append(place)
        case .notDelivered, .fatal: settle(place, .unsent)
        case .retryable where error.code.isClusterWide:
            pausedUntil = clock.now + .seconds(1)
            returned.append(place)
        case .record where !wasAlone: suspects.append(place)
        case .record: settle(place, .unusable(error))
        case .topic, .retryable: settle(place, .refused(error))
        }
    }

    private func takeBackReturned() {
        guard !returned.isEmpty else { return }
        returned.sort(by: OfflinePlace.isBefore)
        line.prepend(contentsOf: returned)
        returned = []
    }

    private func settle(_ place: OfflinePlace, _ delivery: OfflineDelivery) {
        place.batch.settle(place.index, delivery)
        if place.batch.left == 0 { batches[place.batch.number] = nil }
    }

    /// librdkafka waits without end for a partition that has no leader or too few replicas.
    private func lookForStalled(_ now: ContinuousClock.Instant) {
        nextLook = now + .seconds(1)
        if let since = inbox.unreachableSince, now - since < settings.absence { reachableSince = now }
        var oldest: ContinuousClock.Instant?
        var isAnyStalled = false
        for batch in batches.values {
            for index in batch.records.indices where !batch.isSettled(index) {
                guard let sentAt = batch.sentAt[index] else { continue }
                oldest = min(oldest ?? sentAt, sentAt)
                let since = max(sentAt, reachableSince)
                let patience = lastConfirmation > since ? settings.stall : settings.silence
                if now - since >= patience {
                    batch.isStalled[index] = true
                    isAnyStalled = true
                }
            }
        }
        let silentSince = oldest.map { max($0, lastConfirmation) }
        inbox.tell(
            isSending: oldest != nil,
            silence: silentSince.flatMap {
                now - $0 >= settings.stall ? "Kafka confirms no offline event" : nil
            }
        )
        // All that is open can only be taken back together; what is not stalled is sent again.
        if isAnyStalled { producer.purge() }
        if isAnyStalled, inbox.unreachableSince != nil { reachableSince = now }
    }

    private func rebuildProducer() throws(KafkaConfigurationError) {
        logger.error(
            "the Kafka producer of offline events failed for good; a new one takes its place",
            metadata: ["error": "\(producer.fatalError.map(String.init(describing:)) ?? "")"]
        )
        let successor = try Self.producer(settings, inbox)
        inbox.attach(successor.wakeHandle)
        let open = producer.close()
        producer = successor
        inbox.beginAnew()
        isSendingAlone = false
        pausedUntil = clock.now + .seconds(1)
        for place in open { settle(place, .unsent) }
    }
}
