package import Bitrix24
package import KafkaClient

/// Sends records that lie in no journal, and tells what became of each. Belongs to one thread; must be closed.
///
/// The producer is set as `serve` sets it. What it holds at once is bounded by its queue.
package final class RecordSender {
    package struct Failure: Sendable {
        /// What `send` was given.
        package let label: String
        package let topic: String
        package let error: KafkaError
    }

    private struct Sent {
        let label: String
        let topic: String
    }

    private let producer: RecordProducer<Sent>
    private let complaint: Complaint
    /// How long Kafka may go without confirming anything.
    private let timeout: Duration
    private var isClosed = false
    package private(set) var delivered = 0
    package private(set) var failures: [Failure] = []

    /// What the producer said of the cluster last.
    private final class Complaint {
        var error: KafkaError?
    }

    package init(settings: BridgeSettings, timeout: Duration) throws(KafkaConfigurationError) {
        var configuration = settings.producerConfiguration
        configuration.clientID += "-requeue"
        let complaint = Complaint()
        producer = try RecordProducer(configuration) { event in
            switch event {
            case .connectionError(let error), .fatal(let error): complaint.error = error
            case .brokersUnreachable(let error): complaint.error = complaint.error ?? error
            case .brokersReachable: complaint.error = nil
            case .log, .statistics: break
            }
        }
        self.complaint = complaint
        self.timeout = timeout
    }

    deinit {
        assert(isClosed, "a RecordSender must be closed before it is released")
    }

    /// Hands the record to the producer, and waits for room if there is none.
    ///
    /// - Parameter label: Names the record in `failures`.
    /// - Returns: `false` when Kafka confirmed nothing for too long; then nothing more is to be sent.
    package func send(_ record: EventRecord, label: String) -> Bool {
        let sent = Sent(label: label, topic: String(decoding: record.topic, as: UTF8.self))
        var deadline = ContinuousClock.now + timeout
        while true {
            switch producer.send(record, as: sent) {
            case .queued:
                take(upTo: .zero)
                return true
            case .rejected(let error):
                fail(sent, error)
                return !error.isFatal
            case .queueFull:
                if take(upTo: .milliseconds(100)) > 0 { deadline = .now + timeout }
                guard ContinuousClock.now < deadline else {
                    fail(sent, silence)
                    return false
                }
            }
        }
    }

    /// Waits until every record is confirmed or has failed.
    ///
    /// - Parameter progress: Gets the number of those that are open still.
    package func finish(_ progress: (Int) -> Void) {
        var deadline = ContinuousClock.now + timeout
        while producer.openCount > 0 {
            if take(upTo: .milliseconds(100)) > 0 { deadline = .now + timeout }
            progress(producer.openCount)
            guard ContinuousClock.now < deadline else { break }
        }
        let error = silence
        isClosed = true
        for sent in producer.close() { fail(sent, error) }
    }

    /// Gives up what is open. After `finish` it does nothing.
    package func close() {
        guard !isClosed else { return }
        isClosed = true
        producer.close()
    }

    /// librdkafka holds records of a topic for which there are no rights, and says nothing of it.
    private var silence: KafkaError {
        KafkaError(
            code: .timedOut,
            message: "Kafka has confirmed nothing for \(timeout)" + (complaint.error.map { ", \($0.message)" } ?? "")
                + "; check the brokers, and that this client has the right Write on the topic"
        )
    }

    /// - Returns: how many reports came.
    @discardableResult
    private func take(upTo limit: Duration) -> Int {
        producer.poll(upTo: limit) { sent, error in
            if let error { fail(sent, error) } else { delivered += 1 }
        }
    }

    private func fail(_ sent: Sent, _ error: KafkaError) {
        failures.append(Failure(label: sent.label, topic: sent.topic, error: error))
    }
}
