internal import Journal
internal import KafkaClient
internal import Locks
internal import Logging
internal import Synchronization

/// What other threads leave for the shipper's thread, and how they wake it.
final class ShipperInbox: Sendable {
    private struct State {
        var wakeHandle: ProducerWakeHandle?
        var resolutions: [AppendResolution] = []
        var stopDeadline: ContinuousClock.Instant?
        var brokersUnreachable: String?
        /// Why a broker let nobody in, since one was last reached: a login or a certificate, rather than no answer.
        var connectionTrouble: String?
        var brokers: BrokerStates?
        var errand: (@Sendable (KafkaProducer) -> Void)?
    }

    private let state = Guarded(State())
    private let isAwake = Atomic<Bool>(true)
    private let hasResolutions = Atomic<Bool>(false)
    private let logger: Logger
    let statusBox: ShipperStatusBox

    init(statusBox: ShipperStatusBox, logger: Logger) {
        self.statusBox = statusBox
        self.logger = logger
    }

    // MARK: Any thread

    /// There is something new to read.
    func wake() {
        isAwake.store(true, ordering: .releasing)
        state.withLock { $0.wakeHandle }?.wake()
    }

    func post(_ resolution: AppendResolution) {
        let handle = state.withLock { state in
            state.resolutions.append(resolution)
            return state.wakeHandle
        }
        hasResolutions.store(true, ordering: .releasing)
        handle?.wake()
    }

    func stop(deadline: ContinuousClock.Instant) {
        let handle = state.withLock { state in
            state.stopDeadline = min(deadline, state.stopDeadline ?? deadline)
            return state.wakeHandle
        }
        handle?.wake()
    }

    /// Has the shipper's thread do something to its producer, which nobody else may touch: raise a fault, in tests.
    func order(_ errand: @escaping @Sendable (KafkaProducer) -> Void) {
        let handle = state.withLock { state in
            state.errand = errand
            return state.wakeHandle
        }
        handle?.wake()
    }

    var stopDeadline: ContinuousClock.Instant? { state.withLock { $0.stopDeadline } }

    var brokersUnreachable: String? {
        state.withLock { state in
            guard let words = state.brokersUnreachable else { return nil }
            return words + (state.connectionTrouble.map { "; before that: \($0)" } ?? "")
        }
    }

    /// What librdkafka told last. `nil`: nothing yet.
    var brokers: BrokerStates? { state.withLock { $0.brokers } }

    // MARK: The shipper's thread

    func attach(_ handle: ProducerWakeHandle) { state.withLock { $0.wakeHandle = handle } }

    func detach() { state.withLock { $0.wakeHandle = nil } }

    func takeErrand() -> (@Sendable (KafkaProducer) -> Void)? {
        state.withLock { state in
            defer { state.errand = nil }
            return state.errand
        }
    }

    func takeWake() -> Bool { isAwake.exchange(false, ordering: .acquiring) }

    func takeResolutions() -> [AppendResolution] {
        guard hasResolutions.exchange(false, ordering: .acquiring) else { return [] }
        return state.withLock { state in
            defer { state.resolutions.removeAll(keepingCapacity: true) }
            return state.resolutions
        }
    }

    /// Turns what librdkafka tells into log lines. Called while the shipper polls.
    func observe(_ event: ProducerEvent) {
        switch event {
        case .log(let level, let facility, let message):
            let line: Logger.Level = level <= 3 ? .warning : level <= 5 ? .info : .debug
            logger.log(level: line, "librdkafka", metadata: ["facility": "\(facility)", "text": "\(message)"])
        case .connectionError(let error):
            let isTold = error.code.isClusterWide && error.code != .transport
            if isTold { state.withLock { $0.connectionTrouble = "\(error)" } }
            logger.log(
                level: isTold ? .error : .debug,
                "Kafka connection trouble",
                metadata: ["error": "\(error)"]
            )
        case .brokersUnreachable(let error):
            let isNew = state.withLock { state in
                defer { state.brokersUnreachable = "\(error)" }
                return state.brokersUnreachable == nil
            }
            if isNew {
                logger.error(
                    "no Kafka broker can be reached; events wait in the journal",
                    metadata: ["error": "\(error)"]
                )
            }
        case .brokersReachable:
            state.withLock { state in
                state.brokersUnreachable = nil
                state.connectionTrouble = nil
            }
            logger.notice("Kafka brokers can be reached again")
        case .statistics(let json):
            if let brokers = BrokerStates(statistics: json, after: brokers) { state.withLock { $0.brokers = brokers } }
        case .fatal: break
        }
    }
}
