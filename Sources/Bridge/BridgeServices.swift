package import Bitrix24
package import CoreMetrics
internal import Foundation
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
        /// Called on the shipper's thread for each record that Kafka confirmed.
        package var didDeliver: (@Sendable (borrowing DeliveryReport) -> Void)?
        /// Called with the ports that were bound, events first.
        package var didBind: (@Sendable (_ name: String, _ address: SocketAddress) -> Void)?
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
    package let health: HealthModel
    package let portals: PortalStore

    /// Opens the journals; binds and connects nothing yet.
    ///
    /// - Throws: `JournalError`, `KafkaConfigurationError` or `AddressRangeError`, each of which names the mend. The journals
    ///   are closed again then.
    package init(_ settings: BridgeSettings, portals directory: PortalDirectory, _ surroundings: Surroundings) throws {
        try validate(settings.producerConfiguration)
        let health = HealthModel()
        let metrics = BridgeMetrics(factory: surroundings.metrics)
        let journal = try Journal.open(
            settings.journalConfiguration,
            fileSystem: surroundings.fileSystem,
            observer: .bridge(metrics, logger: surroundings.logger, health: health)
        )
        do {
            let parked = try Journal.open(
                settings.parkedConfiguration,
                fileSystem: surroundings.fileSystem,
                observer: .parked(metrics, logger: surroundings.logger)
            )
            do {
                try self.init(settings, PortalStore(directory), surroundings, health, metrics, journal, parked)
            } catch {
                parked.close()
                throw error
            }
        } catch {
            journal.close()
            throw error
        }
    }

    private init(
        _ settings: BridgeSettings,
        _ portals: PortalStore,
        _ surroundings: Surroundings,
        _ health: HealthModel,
        _ metrics: BridgeMetrics,
        _ journal: Journal,
        _ parked: Journal
    ) throws(AddressRangeError) {
        let logger = surroundings.logger
        let budget = DeadLetterBudget(journalBytes: settings.journal.maxBytes)
        let statusBox = ShipperStatusBox()
        let gate = ParkingGate()
        let shipper = Shipper(
            settings: ShipperSettings(
                producer: settings.producerConfiguration,
                parkAfter: settings.kafka.parkAfter,
                maxRecordBytes: settings.kafka.maxRecordBytes,
                deadLetterTopic: settings.kafka.deadLetterTopic,
                deadLetterBudget: budget,
                firstOwnPosition: journal.statistics.next.rawValue,
                parkingLimit: settings.parkingLimit,
                parkingGate: gate,
                didDeliver: surroundings.didDeliver
            ),
            journal: journal,
            parkedJournal: parked,
            metrics: metrics,
            statusBox: statusBox,
            shutdownTimeout: settings.shutdownTimeout,
            logger: logger
        )

        let intake = try IntakeContext(
            settings: settings,
            portals: portals,
            journal: journal,
            deadLetterBudget: budget,
            parkingGate: gate,
            metrics: metrics,
            logger: logger
        )
        let loops = settings.http.eventLoops > 0 ? settings.http.eventLoops : System.coreCount
        let descriptors = DescriptorBudget.ofThisProcess(eventLoops: loops)
        let events = HTTPListener(
            configuration: settings.eventListener(descriptors),
            eventLoopGroup: MultiThreadedEventLoopGroup(numberOfThreads: loops),
            logger: logger,
            makeHandler: { EventReceiver(context: intake, eventLoop: $0) },
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
            journal: journal,
            parked: parked,
            shipper: statusBox,
            fill: FillBox(),
            listener: { events.statistics },
            gauges: BridgeGauges(factory: surroundings.metrics),
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
                    metrics: {
                        snapshot.setGauges()
                        return surroundings.renderMetrics()
                    }
                )
            },
            onBound: { surroundings.didBind?("admin", $0) }
        )

        var services: [any Service] = [
            admin, JournalService(journals: [journal, parked], logger: logger), shipper,
            FillWatch(snapshot: snapshot, logger: logger),
        ]
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
        services.append(events)
        self.services = services
        self.journal = journal
        self.parked = parked
        self.shipper = shipper
        self.health = health
        self.portals = portals
    }
}

extension BridgeSettings {
    package var producerConfiguration: ProducerConfiguration {
        ProducerConfiguration(
            bootstrapServers: kafka.bootstrapServers,
            clientID: "b24bridge-\(replica)",
            properties: kafka.properties,
            maxMessageBytes: max(kafka.maxRecordBytes + 4096, 1_000_000)
        )
    }

    var journalConfiguration: JournalConfiguration {
        JournalConfiguration(
            directory: journal.directory,
            maxBytes: journal.maxBytes,
            segmentBytes: journal.segmentBytes,
            sync: journal.sync,
            retain: journal.retain
        )
    }

    var parkedConfiguration: JournalConfiguration {
        JournalConfiguration(
            directory: parkedDirectory,
            // The quota is kept by refusing events. What the journal has already taken moves over in any case, or it would
            // keep everything behind it there.
            maxBytes: parkedMaxBytes + journal.maxBytes,
            segmentBytes: min(journal.segmentBytes, max(parkedMaxBytes / 4, 512)),
            sync: journal.sync,
            tailBytes: 1 << 20
        )
    }

    func eventListener(_ descriptors: DescriptorBudget) -> ListenerConfiguration {
        let connections = descriptors.connections - adminListener(descriptors).maxConnections
        return ListenerConfiguration(
            name: "events",
            host: http.host,
            port: http.port,
            maxBodyBytes: http.maxBodyBytes,
            requestTimeout: http.requestTimeout,
            maxConnections: min(10_000, connections),
            maxConnectionsWhileDraining: connections,
            shutdownDelay: shutdownDelay
        )
    }

    func adminListener(_ descriptors: DescriptorBudget) -> ListenerConfiguration {
        let connections = min(256, max(1, descriptors.connections / 8))
        return ListenerConfiguration(
            name: "admin",
            host: admin.host,
            port: admin.port,
            maxConnections: connections,
            maxConnectionsWhileDraining: connections
        )
    }
}

extension JournalObserver {
    fileprivate static func bridge(_ metrics: BridgeMetrics, logger: Logger, health: HealthModel) -> JournalObserver {
        var observer = parked(metrics, logger: logger)
        let logFailure = observer.didFailMaintenance
        let logAbandoned = observer.didAbandonSegment
        observer.didCommit = { report in
            metrics.committed.increment(by: report.records)
            metrics.commitTime.recordNanoseconds((report.write + report.sync).nanoseconds)
            metrics.syncTime.recordNanoseconds(report.sync.nanoseconds)
        }
        observer.didAbandonSegment = { error in
            metrics.abandonedSegments.increment()
            logAbandoned?(error)
        }
        observer.didFailMaintenance = { error in
            metrics.maintenanceFailures.increment()
            logFailure?(error)
        }
        observer.stateChanged = { state in
            health.journalChanged(to: state)
            switch state {
            case .accepting: logger.notice("the journal takes events")
            case .full: logger.error("the journal is full; events wait up to 5 s for room and are lost then")
            case .failing(let error): logger.error("the journal's disk fails", metadata: ["error": "\(error)"])
            case .closed: break
            }
        }
        return observer
    }

    /// Tells the log and the metrics what a journal found and what failed.
    static func parked(_ metrics: BridgeMetrics, logger: Logger) -> JournalObserver {
        JournalObserver(
            didRecover: { report in
                guard report.damagedBytes > 0 else { return }
                metrics.damagedBytes.increment(by: report.damagedBytes)
                logger.error(
                    "a part of the journal could not be read; it was set aside",
                    metadata: [
                        "file": "\(report.fileName)", "damagedBytes": "\(report.damagedBytes)",
                        "records": "\(report.records)",
                    ]
                )
            },
            didFind: { finding in
                metrics.journalFindings[finding.kind.rawValue]?.increment()
                logger.error("\(finding.words)", metadata: ["file": "\(finding.path)"])
            },
            didAbandonSegment: { error in
                logger.error("a segment was given up; a new one takes over", metadata: ["error": "\(error)"])
            },
            didFailMaintenance: { error in
                logger.warning("the journal could not tidy up; trying again", metadata: ["error": "\(error)"])
            }
        )
    }
}

extension Duration {
    var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
