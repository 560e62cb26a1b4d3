internal import Bitrix24
internal import KafkaClient
internal import Logging
internal import NIOPosix

/// Sends rows' records to Kafka by a producer of its own, and tells of each whether Kafka has it. Any thread.
///
/// It is another producer than the shipper's, so that neither waits for the other.
final class OfflineSender: Sendable {
    struct Settings: Sendable {
        var producer: ProducerConfiguration
        /// Bytes of values that Kafka has not confirmed.
        var maxOpenBytes = 16 << 20
        var maxOpenRecords = 20_000
        /// A record may be open for so long while others are confirmed.
        var stall: Duration = .seconds(5)
        /// And for so long while nothing is, though brokers can be reached.
        var silence: Duration = .seconds(15)
        /// And for so long while they cannot: then somebody else may try.
        var absence: Duration = .seconds(300)

        /// Called on the sender's thread for each record that Kafka confirmed.
        var didDeliver: (@Sendable (borrowing DeliveryReport) -> Void)?

        init(_ settings: BridgeSettings, didDeliver: (@Sendable (borrowing DeliveryReport) -> Void)? = nil) {
            producer = settings.producerConfiguration
            producer.clientID += "-offline"
            self.didDeliver = didDeliver
        }
    }

    let settings: Settings
    let inbox: OfflineSenderInbox
    private let logger: Logger

    init(_ settings: Settings, logger: Logger) {
        self.settings = settings
        self.logger = logger
        inbox = OfflineSenderInbox(logger: logger)
    }

    /// What keeps Kafka from confirming anything. `nil`: nothing that is known.
    var trouble: String? { inbox.trouble }

    /// Waits for what becomes of each. When the task is cancelled, what is open then is `unsent`.
    func send(_ records: [EventRecord]) async -> [OfflineDelivery] {
        guard !records.isEmpty else { return [] }
        let number = inbox.nextNumber()
        return await withTaskCancellationHandler {
            await withCheckedContinuation { settled in
                inbox.post(OfflineBatch(number, records, settled))
            }
        } onCancel: {
            inbox.cancel(number)
        }
    }

    /// Sends until it is cancelled. To be called once.
    func run() async {
        // librdkafka blocks, so the loop has a thread of its own: a pool of one.
        let thread = NIOThreadPool(numberOfThreads: 1)
        thread.start()
        await withTaskCancellationHandler {
            while !inbox.isStopped {
                do {
                    try await thread.runIfActive { [settings, inbox, logger] in
                        try OfflineSendingLoop(settings, inbox, logger: logger).run()
                    }
                } catch {
                    inbox.abandonAll()
                    if inbox.isStopped { break }
                    logger.error("no Kafka producer can be made for offline events", metadata: ["error": "\(error)"])
                    try? await Task.sleep(for: .seconds(5))
                }
            }
        } onCancel: {
            inbox.stop()
        }
        inbox.abandonAll()
        try? await thread.shutdownGracefully()
    }
}
