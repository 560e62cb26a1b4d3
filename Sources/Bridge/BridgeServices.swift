package import Bitrix24
package import CoreMetrics
internal import Ingress
package import Journal
package import KafkaClient
package import Logging
package import NIOCore
internal import NIOPosix
package import ServiceLifecycle

/// The bridge, built from its settings: the services in the order in which they start, and the reverse of which they stop.
package struct BridgeServices: Sendable {
    /// What comes from the process rather than from the settings.
    package struct Surroundings: Sendable {
        package var version: String
        package var environment: [String: String]
        package var metrics: any MetricsFactory
        /// Renders the metrics for `/metrics`.
        package var renderMetrics: @Sendable () -> [UInt8]
        package var logger: Logger
        /// Called for each record that Kafka confirmed, on the thread of whoever sent it.
        package var didDeliver: (@Sendable (borrowing DeliveryReport) -> Void)?
        /// Called as soon as a listener is bound, `events` or `admin`, in any order.
        package var didBind: (@Sendable (_ name: String, _ address: SocketAddress) -> Void)?
        /// Where the lists of Bitrix24's senders are published; a test puts its own there.
        var senderListAddress: @Sendable (SenderList) -> String = { $0.address }
        /// Where the journals lie; a test puts one here that fails.
        package var fileSystem: any FileSystem = POSIXFileSystem()

        package init(
            version: String,
            environment: [String: String],
            metrics: any MetricsFactory,
            renderMetrics: @escaping @Sendable () -> [UInt8],
            logger: Logger
        ) {
            self.version = version
            self.environment = environment
            self.metrics = metrics
            self.renderMetrics = renderMetrics
            self.logger = logger
        }
    }

    package let services: [any Service]
    let journal: Journal
    let parked: Journal
    let shipper: Shipper
    let snapshot: BridgeSnapshot
    let signals: OfflineSignals
    package let health: HealthModel
    package let portals: PortalStore
    /// `nil`: portals are in the file only.
    package let registry: PortalRegistry?

    /// Opens the journals; binds and connects nothing yet.
    ///
    /// - Throws: `JournalError`, `KafkaConfigurationError` or `AddressRangeError`, each of which names the mend. The journals
    ///   are closed again then.
    package init(_ settings: BridgeSettings, portals directory: PortalDirectory, _ surroundings: Surroundings) throws {
        try validate(settings.producerConfiguration)
        let health = HealthModel()
        let metrics = BridgeMetrics(factory: surroundings.metrics)
        BridgeMetrics.tellBuild(version: surroundings.version, factory: surroundings.metrics)
        let journals = try JournalPair(
            settings,
            fileSystem: surroundings.fileSystem,
            mainObserver: .main(metrics, logger: surroundings.logger, health: health),
            parkedObserver: .telling(metrics, logger: surroundings.logger)
        )
        do {
            try self.init(settings, PortalStore(directory), surroundings, health, metrics, journals)
        } catch {
            journals.close()
            throw error
        }
    }

    private init(
        _ settings: BridgeSettings,
        _ portals: PortalStore,
        _ surroundings: Surroundings,
        _ health: HealthModel,
        _ metrics: BridgeMetrics,
        _ journals: JournalPair
    ) throws(AddressRangeError) {
        let logger = surroundings.logger
        let keyring = Keyring(settings.secrets)
        let signals = OfflineSignals()
        let statusBox = ShipperStatusBox()
        let conditions = OfflineConditions(
            // Nobody tells that they are back but their answers, so it counts only while something waits for them.
            brokersUnreachable: {
                let status = statusBox.current
                return status.waitingRead > 0 ? status.brokersUnreachable : nil
            },
            journalFill: { [main = journals.main] in
                let statistics = main.statistics
                return JournalFill(heldBytes: statistics.heldBytes, limitBytes: statistics.maxBytes).ratio
            }
        )
        let activity = ActivityLedger()
        let rest = RESTServices(settings, keyring, signals, conditions, activity, surroundings)
        let registry = RegistryServices(settings, keyring, portals, health, signals, surroundings) {
            await rest?.work($0)
        }
        let budget = DeadLetterBudget(journalBytes: settings.journal.maxBytes)
        let gate = ParkingGate()
        let shipper = Shipper(
            settings: settings.shipperSettings(
                journals,
                deadLetterBudget: budget,
                parkingGate: gate,
                didDeliver: surroundings.didDeliver
            ),
            journal: journals.main,
            parkedJournal: journals.parked,
            metrics: metrics,
            statusBox: statusBox,
            shutdownTimeout: settings.shutdownTimeout,
            logger: logger
        )

        let senders = try SenderNetworks(settings.http.allowedNetworks)
        let intake = try IntakeContext(
            settings: settings,
            senders: senders,
            portals: portals,
            journal: journals.main,
            deadLetterBudget: budget,
            parkingGate: gate,
            signals: signals,
            activity: activity,
            metrics: metrics,
            logger: logger
        )
        let installations = Installations(
            settings,
            registry: registry?.parts.registry,
            keyring: keyring,
            fileSystem: surroundings.fileSystem,
            metrics: metrics,
            logger: logger
        )
        let loops = settings.http.eventLoops > 0 ? settings.http.eventLoops : System.coreCount
        let descriptors = DescriptorBudget.ofThisProcess(eventLoops: loops)
        let events = HTTPListener(
            configuration: settings.eventListener(descriptors),
            eventLoopGroup: MultiThreadedEventLoopGroup(numberOfThreads: loops),
            logger: logger,
            makeHandler: { EventReceiver(context: intake, installations: installations, eventLoop: $0) },
            onShutdownBegan: { health.beginDraining() },
            onBound: { address in
                health.beginAccepting()
                surroundings.didBind?("events", address)
            }
        )

        let snapshot = BridgeSnapshot(
            version: surroundings.version,
            settings: settings,
            health: health,
            portals: portals,
            activity: activity,
            metrics: metrics,
            senders: senders,
            registry: registry?.parts,
            installations: installations,
            offline: { rest?.offlineStatus },
            journal: journals.main,
            parked: journals.parked,
            shipper: statusBox,
            fill: FillBox(),
            listener: { events.statistics },
            gauges: BridgeGauges(factory: surroundings.metrics, lists: senders.lists, registry: registry != nil),
            portalSeries: PortalSeries(limit: settings.admin.portalMetrics, factory: surroundings.metrics),
            startedAt: .now
        )
        let admin = HTTPListener(
            configuration: settings.adminListener(descriptors),
            eventLoopGroup: MultiThreadedEventLoopGroup(numberOfThreads: 1),
            logger: logger,
            makeHandler: { _ in
                AdminResponder(
                    health: health,
                    report: { snapshot.report() },
                    portals: { snapshot.portals(matching: $0, limit: $1) },
                    metrics: {
                        snapshot.setGauges()
                        if let registry { rest?.setGauges(registry.parts.registry) }
                        return surroundings.renderMetrics()
                    }
                )
            },
            onBound: { surroundings.didBind?("admin", $0) }
        )

        // Ended last: the shipper needs tokens to its end.
        var services: [any Service] =
            settings.kafka.oauth.map { oauth in
                [KafkaTokenService(oauth: oauth, failures: metrics.kafkaTokenFailures, logger: logger)]
            } ?? []
        services += [
            admin, JournalService(journals: journals, logger: logger), shipper,
            FillWatch(snapshot: snapshot, logger: logger),
            ActivityWatch(
                ledger: activity,
                file: ActivityFile(directory: settings.journal.directory, fileSystem: surroundings.fileSystem),
                portals: portals,
                arePortalsKnown: { registry?.parts.registry.isRead ?? true },
                logger: logger
            ),
        ]
        if let rest { services += [rest.service, rest.receptionWatch(journals.main)] }
        if let registry { services += registry.services }
        if !settings.portalsFile.isEmpty {
            services.append(
                PortalFileWatcher(
                    path: settings.portalsFile,
                    store: portals,
                    environment: surroundings.environment,
                    logger: logger
                )
            )
        }
        if !senders.lists.isEmpty {
            services.append(
                SenderListWatch(
                    networks: senders,
                    address: surroundings.senderListAddress,
                    failures: metrics.senderListFailures,
                    logger: logger
                )
            )
        }
        services += installations?.services(intake) ?? []
        services.append(events)
        self.services = services
        journal = journals.main
        parked = journals.parked
        self.shipper = shipper
        self.snapshot = snapshot
        self.signals = signals
        self.health = health
        self.portals = portals
        self.registry = registry?.parts.registry
    }
}
