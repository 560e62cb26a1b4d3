internal import Bitrix24
internal import Journal
internal import KafkaClient
internal import Logging
internal import NIOPosix
internal import ServiceLifecycle

/// What the shipper needs to know beside its journals.
struct ShipperSettings: Sendable {
    var producer: ProducerConfiguration
    var parkAfter: Duration
    var maxRecordBytes: Int
    var deadLetterTopic: String
    var deadLetterBudget: DeadLetterBudget
    /// Lower positions were written by earlier runs.
    var firstOwnPosition: UInt64
    /// Payload bytes of parked records from which on the gate is closed.
    var parkingLimit: Int
    var parkingGate: ParkingGate
    /// Called on the shipper's thread for each record that Kafka confirmed.
    var didDeliver: (@Sendable (borrowing DeliveryReport) -> Void)?
    /// Time between two rounds in which single parked records are tried. `nil`: long, by `parkAfter`.
    var singlesInterval: Duration?
    /// Bytes handed to librdkafka and not reported; their memory is the journal's.
    var maxInFlightBytes = 32 << 20
    var maxInFlightRecords = 100_000
    /// Memory of the journal that records in flight keep allocated.
    var maxPinnedBytes = 128 << 20
    /// Bytes read from the journal at once.
    var readBytes = 1 << 20
}

/// Ships the journal to Kafka: a service around `ShippingLoop` and its thread.
struct Shipper: Service, CustomStringConvertible {
    let settings: ShipperSettings
    let journal: Journal
    let parkedJournal: Journal
    let metrics: BridgeMetrics
    let logger: Logger
    /// How long a graceful shutdown may go on delivering.
    let shutdownTimeout: Duration
    let inbox: ShipperInbox

    /// The service group logs its services, and the settings hold credentials.
    var description: String { "Shipper" }

    init(
        settings: ShipperSettings,
        journal: Journal,
        parkedJournal: Journal,
        metrics: BridgeMetrics,
        statusBox: ShipperStatusBox,
        shutdownTimeout: Duration,
        logger: Logger
    ) {
        self.settings = settings
        self.journal = journal
        self.parkedJournal = parkedJournal
        self.metrics = metrics
        self.shutdownTimeout = shutdownTimeout
        self.logger = logger
        inbox = ShipperInbox(statusBox: statusBox, logger: logger)
    }

    func run() async throws {
        let inbox = inbox
        journal.onCommit { inbox.wake() }
        parkedJournal.onCommit { inbox.wake() }
        // librdkafka and the journal's files block, so the loop has a thread of its own: a pool of one.
        let thread = NIOThreadPool(numberOfThreads: 1)
        thread.start()
        let result: Result<Void, any Error>
        do {
            try await ship(on: thread)
            result = .success(())
        } catch {
            result = .failure(error)
        }
        try await thread.shutdownGracefully()
        try result.get()
    }

    private func ship(on thread: NIOThreadPool) async throws {
        let inbox = inbox
        try await withTaskCancellationHandler {
            try await withGracefulShutdownHandler {
                try await thread.runIfActive {
                    let loop = try ShippingLoop(
                        settings: settings,
                        journal: journal,
                        parkedJournal: parkedJournal,
                        inbox: inbox,
                        metrics: metrics,
                        logger: logger
                    )
                    try loop.run()
                }
            } onGracefulShutdown: {
                inbox.stop(deadline: .now + shutdownTimeout)
            }
        } onCancel: {
            inbox.stop(deadline: .now)
        }
    }
}
