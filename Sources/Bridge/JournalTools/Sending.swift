internal import Journal
internal import KafkaClient

/// A producer and what is under way in it: sends from the blocks' own memory and counts what became of each record.
final class Sending {
    private let producer: KafkaProducer
    private let timeout: Duration
    private let isStopped: () -> Bool
    private var headers: [RecordHeader] = []
    private var blocks = BlocksInFlight<Void>()
    private var blockID: UInt32 = 0
    private var current: RecordBlock?
    private var inFlight = 0
    private var lastReport = ContinuousClock.now
    private var confirmedByTopic: [String: Int] = [:]
    private var refusals: [Refusal: Int] = [:]
    private(set) var confirmedRecords = 0
    /// Why no more is sent.
    private(set) var stopped: String?
    private let unreachable = Unreachable()

    private struct Refusal: Hashable {
        let topic: String
        let error: String
    }

    private final class Unreachable {
        var words: String?
    }

    /// Memory of the journal that records in flight keep allocated.
    private static let maxPinnedBytes = 64 << 20

    init(
        _ configuration: ProducerConfiguration,
        timeout: Duration,
        isStopped: @escaping () -> Bool
    ) throws(KafkaConfigurationError) {
        self.timeout = timeout
        self.isStopped = isStopped
        producer = try KafkaProducer(configuration) { [unreachable] event in
            switch event {
            case .brokersUnreachable(let error): unreachable.words = "\(error)"
            case .brokersReachable: unreachable.words = nil
            default: break
            }
        }
    }

    func close() { producer.close() }

    var confirmed: [Resend.Result.Topic] {
        confirmedByTopic.sorted { $0.key < $1.key }.map { Resend.Result.Topic(topic: $0.key, records: $0.value) }
    }

    var refused: [Resend.Result.Topic] {
        refusals.map { Resend.Result.Topic(topic: $0.key.topic, records: $0.value, error: $0.key.error) }
            .sorted { ($0.topic, $0.error ?? "") < ($1.topic, $1.error ?? "") }
    }

    /// Waits for room if there is none. False when no more is to be sent.
    func send(_ block: RecordBlock, _ index: Int, _ stored: StoredRecord) -> Bool {
        if block !== current {
            current = block
            blockID = blocks.nextID()
        }
        while blocks.pinnedBytes > Self.maxPinnedBytes {
            guard poll() else { return false }
        }
        while true {
            let opaque = BlocksInFlight<Void>.opaque(blockID, index)
            switch producer.send(stored, headers: &headers, opaque: opaque) {
            case .queued:
                blocks.pin(blockID, block, ())
                inFlight += 1
                return inFlight % 1000 != 0 || poll(upTo: .zero)
            case .queueFull:
                guard poll() else { return false }
            case .rejected(let error):
                if error.isFatal { return stop("the Kafka producer failed for good: \(error)") }
                refuse(stored.topicName, error)
                return true
            }
        }
    }

    func waitForReports(_ progress: () -> Void) {
        while inFlight > 0, poll() { progress() }
    }

    private func poll(upTo limit: Duration = .milliseconds(100)) -> Bool {
        if inFlight == 0 { lastReport = .now }
        let count = producer.poll(upTo: limit, maxReports: 10_000) { report in take(report) }
        if count > 0 { lastReport = .now }
        if let error = producer.fatalError { return stop("the Kafka producer failed for good: \(error)") }
        if isStopped() { return stop("it was asked to stop") }
        guard ContinuousClock.now - lastReport >= timeout else { return true }
        return stop(
            unreachable.words.map { "Kafka cannot be reached: \($0)" }
                ?? "nothing was delivered for \(timeout.components.seconds) s"
        )
    }

    private func stop(_ words: String) -> Bool {
        stopped = words
        return false
    }

    private func take(_ report: borrowing DeliveryReport) {
        inFlight -= 1
        if let error = report.error {
            refuse(report.topicName, error)
        } else {
            confirmedRecords += 1
            confirmedByTopic[report.topicName, default: 0] += 1
        }
        blocks.unpin(report.opaque)
    }

    private func refuse(_ topic: String, _ error: KafkaError) {
        refusals[Refusal(topic: topic, error: "\(error)"), default: 0] += 1
    }
}
