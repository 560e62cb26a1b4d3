internal import CoreMetrics
internal import Journal
internal import KafkaClient
internal import Locks
package import Logging
package import ServiceLifecycle
internal import Synchronization

/// Delivers what waits in the journals of a bridge that does not run: its very shipper, without a listener. What is
/// delivered moves the checkpoint; what is not stays where it is.
package struct Replay: Sendable {
    /// How it went.
    package struct Result: Sendable, Encodable {
        package struct Topic: Sendable, Encodable {
            package var topic: String
            package var records: Int
            /// Why they are not delivered, as far as it is known.
            package var error: String
        }

        package var delivered: Int
        package var left: Int
        /// Those with records left, most first.
        package var topics: [Topic]
        /// Why it ended before everything was delivered or refused; `nil` if it did not.
        package var stopped: String?
        /// As it was before the first record went.
        package var unread: Backlog.Unread

        /// Where nothing waits that can be read.
        package static func nothing(_ unread: Backlog.Unread) -> Result {
            Result(delivered: 0, left: 0, topics: [], stopped: nil, unread: unread)
        }
    }

    /// The services to run, the last of which ends when there is nothing left to do; end the others then.
    package let services: [any Service]
    private let backlog: Backlog
    private let journals: JournalPair
    private let watch: ReplayWatch
    private let counter: DeliveryCounter

    /// A running shipper goes on sending for so long after it was asked to stop.
    private static let farewell: Duration = .seconds(3)

    /// Opens the journals, which must exist.
    ///
    /// - Parameters:
    ///   - timeout: It gives up when nothing moved for so long. `nil`: long enough for a topic to be parked.
    ///   - progress: Called now and then with the number of records delivered and whether brokers cannot be reached.
    /// - Throws: `JournalError` or `KafkaConfigurationError`.
    package init(
        _ settings: BridgeSettings,
        backlog: Backlog,
        timeout: Duration?,
        logger: Logger,
        progress: @escaping @Sendable (_ delivered: Int, _ unreachable: String?) -> Void
    ) throws {
        try validate(settings.producerConfiguration)
        let metrics = BridgeMetrics(factory: NOOPMetricsHandler.instance)
        let journals = try JournalPair(
            settings,
            mainObserver: .telling(metrics, logger: logger),
            parkedObserver: .telling(metrics, logger: logger)
        )
        let counter = DeliveryCounter()
        let statusBox = ShipperStatusBox()
        let shipper = Shipper(
            settings: settings.shipperSettings(
                journals,
                deadLetterBudget: DeadLetterBudget(journalBytes: settings.journal.maxBytes),
                didDeliver: { counter.count($0) },
                singlesInterval: .seconds(5)
            ),
            journal: journals.main,
            parkedJournal: journals.parked,
            metrics: metrics,
            statusBox: statusBox,
            shutdownTimeout: min(settings.shutdownTimeout, Self.farewell),
            logger: logger
        )
        watch = ReplayWatch(
            timeout: timeout ?? settings.kafka.parkAfter + .seconds(30),
            statusBox: statusBox,
            counter: counter,
            progress: progress
        )
        self.backlog = backlog
        self.counter = counter
        self.journals = journals
        services = [JournalService(journals: journals, logger: logger), shipper, watch]
    }

    /// After the services have ended. Closes the journals if they did not.
    package func end() -> Result {
        journals.close()
        let delivered = counter.byTopic
        let errors = watch.errors
        var topics = backlog.topics.compactMap { row -> Result.Topic? in
            let left = row.tally.undelivered - (delivered[row.topic] ?? 0)
            guard left > 0 else { return nil }
            return Result.Topic(
                topic: row.topic,
                records: left,
                error: errors[row.topic] ?? Self.ownReason(row.tally, left: left)
            )
        }
        if backlog.undecodable > 0 {
            let words = "not records of this version; read them with the one that wrote them"
            topics.append(Result.Topic(topic: "(unknown)", records: backlog.undecodable, error: words))
        }
        let count = delivered.values.reduce(0, +)
        let left = max(0, backlog.records - count)
        return Result(
            delivered: count,
            left: left,
            topics: topics.sorted { ($0.records, $1.topic) > ($1.records, $0.topic) },
            stopped: left == 0 ? nil : watch.reason,
            unread: backlog.unread
        )
    }

    private static func ownReason(_ tally: Tally, left: Int) -> String {
        var reasons: [String] = []
        if tally.oversized > 0 { reasons.append("over kafka.maxRecordBytes") }
        if tally.refused > 0 || left < tally.undelivered, reasons.isEmpty || tally.refused > 0 {
            reasons.append("refused for a reason of their own, see the log")
        }
        return reasons.isEmpty ? "not delivered" : reasons.joined(separator: ", or ")
    }
}

/// Counts what Kafka confirmed. Each record once: a shipper does not send again what was confirmed.
final class DeliveryCounter: Sendable {
    private let topics = Guarded<[String: Int]>([:])
    private let all = Atomic(0)

    var total: Int { all.load(ordering: .relaxed) }
    var byTopic: [String: Int] { topics.withLock { $0 } }

    func count(_ report: borrowing DeliveryReport) {
        let topic = report.topicName
        topics.withLock { $0[topic, default: 0] += 1 }
        all.add(1, ordering: .relaxed)
    }
}
