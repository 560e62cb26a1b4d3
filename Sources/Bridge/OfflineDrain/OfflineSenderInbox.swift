internal import KafkaClient
internal import Locks
internal import Logging
internal import Synchronization

/// What other threads leave for the sender's thread, and how they wake it.
final class OfflineSenderInbox: Sendable {
    private struct State {
        var lastNumber: UInt64 = 0
        var batches: [OfflineBatch] = []
        var cancelled: Set<UInt64> = []
        var isStopped = false
        var wakeHandle: ProducerWakeHandle?
        var brokersUnreachable: (since: ContinuousClock.Instant, words: String)?
        var isSending = false
        var silence: String?
        var errand: (@Sendable (RecordProducer<OfflinePlace>) -> Void)?
    }

    private let state = Guarded(State())
    private let logger: Logger

    init(logger: Logger) { self.logger = logger }

    // MARK: Any thread

    var isStopped: Bool { state.withLock { $0.isStopped } }

    /// That brokers could not be reached counts only as long as something waits for them: nobody tells that they are back but
    /// their answers.
    var trouble: String? {
        state.withLock { state in state.isSending ? state.brokersUnreachable?.words ?? state.silence : nil }
    }

    func nextNumber() -> UInt64 {
        state.withLock { state in
            state.lastNumber += 1
            return state.lastNumber
        }
    }

    func post(_ batch: sending OfflineBatch) {
        let batch = Handed(batch)
        let (isTaken, handle) = state.withLock { state -> (Bool, ProducerWakeHandle?) in
            guard !state.isStopped, state.cancelled.remove(batch.value.number) == nil else { return (false, nil) }
            state.batches.append(batch.value)
            return (true, state.wakeHandle)
        }
        if isTaken { handle?.wake() } else { batch.value.abandon() }
    }

    func cancel(_ number: UInt64) { leave { $0.cancelled.insert(number) } }

    func stop() { leave { $0.isStopped = true } }

    /// Nobody will send what waits.
    func abandonAll() {
        for batch in takeBatches() { batch.abandon() }
    }

    /// Has the sender's thread do something to its producer, which nobody else may touch: raise a fault, in tests.
    func order(_ errand: @escaping @Sendable (RecordProducer<OfflinePlace>) -> Void) { leave { $0.errand = errand } }

    /// Leaves something for the sender's thread, and wakes it.
    private func leave(_ body: (inout State) -> Void) {
        let handle = state.withLock { state in
            body(&state)
            return state.wakeHandle
        }
        handle?.wake()
    }

    // MARK: The sender's thread

    func attach(_ handle: ProducerWakeHandle?) { state.withLock { $0.wakeHandle = handle } }

    func takeBatches() -> [OfflineBatch] {
        let taken = state.withLock { state -> Handed<[OfflineBatch]> in
            defer { state.batches = [] }
            return Handed(state.batches)
        }
        return taken.value
    }

    /// - Parameter known: Batches that the thread has: the cancellation of others is kept until they come.
    func takeCancelled(_ known: Set<UInt64>) -> Set<UInt64> {
        state.withLock { state in
            let cancelled = state.cancelled.intersection(known)
            state.cancelled.subtract(cancelled)
            return cancelled
        }
    }

    func takeErrand() -> (@Sendable (RecordProducer<OfflinePlace>) -> Void)? {
        state.withLock { state in
            defer { state.errand = nil }
            return state.errand
        }
    }

    /// Since when. `nil`: they can be reached, as far as anybody knows.
    var unreachableSince: ContinuousClock.Instant? { state.withLock { $0.brokersUnreachable?.since } }

    /// What another producer could not reach says nothing of this one, and nobody would take it back.
    func beginAnew() { state.withLock { $0.brokersUnreachable = nil } }

    func tell(isSending: Bool, silence: String?) {
        state.withLock { state in
            state.isSending = isSending
            state.silence = silence
        }
    }

    /// Called while the thread polls.
    func observe(_ event: ProducerEvent) {
        switch event {
        case .brokersUnreachable(let error):
            state.withLock { state in
                state.brokersUnreachable = (state.brokersUnreachable?.since ?? .now, "\(error)")
            }
        case .brokersReachable: state.withLock { $0.brokersUnreachable = nil }
        case .log(let level, let facility, let message):
            // The shipper's client says the same of the same brokers, louder.
            logger.log(
                level: level <= 3 ? .info : .debug,
                "librdkafka",
                metadata: ["facility": "\(facility)", "text": "\(message)", "client": "offline"]
            )
        case .connectionError(let error):
            logger.debug("Kafka connection trouble", metadata: ["error": "\(error)", "client": "offline"])
        case .fatal, .statistics: break
        }
    }
}

/// A value on its way to another thread, which alone touches it from then on.
private struct Handed<Value>: @unchecked Sendable {
    // The sender posts a batch once and keeps nothing of it; the lock of the inbox stands between the two threads.
    let value: Value

    init(_ value: Value) { self.value = value }
}
