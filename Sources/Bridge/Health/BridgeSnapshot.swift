internal import Bitrix24
internal import CoreMetrics
internal import Ingress
internal import Journal
internal import KafkaClient
internal import Metrics

/// Gathers what the parts of the bridge say of themselves, for the status and for the gauges of a scrape.
struct BridgeSnapshot: Sendable {
    let version: String
    let settings: BridgeSettings
    let health: HealthModel
    let portals: PortalStore
    let activity: ActivityLedger
    let metrics: BridgeMetrics
    let senders: SenderNetworks
    /// `nil`: there is no registry.
    let registry: RegistryParts?
    let installations: Installations?
    /// `nil`: this replica does not drain queues of offline events.
    let offline: @Sendable () -> OfflineStatus?
    let journal: Journal
    let parked: Journal
    let shipper: ShipperStatusBox
    let fill: FillBox
    let listener: @Sendable () -> ListenerStatistics
    let gauges: BridgeGauges
    let portalSeries: PortalSeries
    let startedAt: ContinuousClock.Instant

    func report() -> StatusReport {
        let status = shipper.current
        let obstacles = health.obstacles
        let main = journal.statistics
        let parked = parked.statistics
        return StatusReport(
            version: version,
            replica: settings.replica,
            ready: obstacles.isEmpty,
            obstacles: obstacles,
            uptimeSeconds: Int((ContinuousClock.now - startedAt).components.seconds),
            connections: listener().openConnections,
            portals: portals.directory.count,
            portalsFileFault: portals.fileFault,
            activity: activityPart,
            refusals: metrics.refusals,
            senders: senders.status,
            registry: registry.map(StatusReport.RegistryPart.init),
            installations: installations.map {
                StatusReport.InstallationsPart(
                    callsToVerify: $0.inbox.count,
                    awaitingTokenRecords: $0.waitingRoom.records,
                    awaitingTokenBytes: $0.waitingRoom.bytes
                )
            },
            offline: offline().map {
                StatusReport.OfflinePart(
                    $0,
                    denied: registry?.registry.census().states[.offlineDenied] ?? 0,
                    now: WallClock.now().milliseconds
                )
            },
            journal: StatusReport.JournalPart(main, mainFill(main), maxBytes: settings.journal.maxBytes),
            parked: StatusReport.JournalPart(parked, parkedFill(parked), maxBytes: settings.parkedMaxBytes),
            kafka: StatusReport.KafkaPart(
                bootstrapServers: settings.kafka.bootstrapServers,
                library: "librdkafka \(Librdkafka.version)",
                unreachable: status.brokersUnreachable,
                token: settings.kafka.oauth.map { StatusReport.KafkaPart.Token($0.tokens) },
                waitingRecords: waiting(status, main),
                oldestUndeliveredSeconds: oldestAge(status),
                queuedRecords: status.queuedRecords,
                queuedBytes: status.queuedBytes,
                parkedRecords: status.parked,
                refusingTopics: status.refusingTopics.map {
                    StatusReport.KafkaPart.RefusingTopic(
                        topic: $0.topic,
                        parked: $0.isParked,
                        error: $0.error,
                        seconds: $0.seconds
                    )
                },
                brokers: brokers(status) ?? []
            )
        )
    }

    func setGauges() {
        let status = shipper.current
        let main = journal.statistics
        let parked = parked.statistics
        let fills = (main: mainFill(main), parked: parkedFill(parked))
        let set = gauges.set(_:_:)
        set("records_waiting", Double(waiting(status, main)))
        set("records_parked", Double(status.parked))
        set("oldest_undelivered_seconds", oldestAge(status) ?? 0)
        set("journal_bytes", Double(main.diskBytes))
        set("journal_max_bytes", Double(main.maxBytes))
        set("journal_pending_bytes", Double(main.pendingBytes))
        set("journal_segments", Double(main.segments))
        set("journal_fill_ratio", fills.main.ratio)
        set("journal_until_full_seconds", fills.main.secondsUntilFull ?? .infinity)
        set("parked_journal_bytes", Double(parked.diskBytes))
        set("parked_journal_fill_ratio", fills.parked.ratio)
        set("parked_journal_until_full_seconds", fills.parked.secondsUntilFull ?? .infinity)
        set("producer_queue_records", Double(status.queuedRecords))
        set("producer_queue_bytes", Double(status.queuedBytes))
        set("topics_refusing", Double(status.refusingTopics.count))
        set("awaiting_token_records", Double(installations?.waitingRoom.records ?? 0))
        set("awaiting_token_bytes", Double(installations?.waitingRoom.bytes ?? 0))
        set("install_inbox_calls", Double(installations?.inbox.count ?? 0))
        set("connections", Double(listener().openConnections))
        set("portals", Double(portals.directory.count))
        set("portals_file_faulty", portals.fileFault == nil ? 0 : 1)
        set("kafka_token_seconds_left", settings.kafka.oauth.map { $0.tokens.secondsLeft ?? 0 } ?? .infinity)
        set("sender_lists_missing", Double(senders.missing.count))
        for list in senders.lists {
            let known = senders.knowledge(of: list)
            gauges.set("sender_list_age_seconds", known.age ?? .infinity, of: list)
            gauges.set("sender_list_entries", Double(known.networks?.count ?? 0), of: list)
        }
        set("ready", health.obstacles.isEmpty ? 1 : 0)
        set("kafka_unreachable", status.brokersUnreachable == nil ? 0 : 1)
        if let brokers = brokers(status) { gauges.setBrokers(brokers.map(\.standing)) }
        setPortalGauges()
        setRegistryGauges()
    }

    /// `nil`: librdkafka has told nothing.
    private func brokers(_ status: ShipperStatus) -> [StatusReport.BrokerPart]? {
        status.brokers?.parts(allDown: status.brokersUnreachable != nil)
    }

    private var activityPart: StatusReport.ActivityPart {
        let rate = activity.rate
        return StatusReport.ActivityPart(
            eventsPerSecond: rate.mean,
            lastMinute: rate.seconds,
            silentPortals: silentPortals
        )
    }

    private func setPortalGauges() {
        gauges.set("portals_silent", Double(silentPortals))
        let without = portalSeries.set(now: WallClock.now().milliseconds) { [portals, activity] in
            let (directory, heard) = (portals.directory, activity.portals)
            return directory.memberIDs.filter { directory[$0]?.isHeard ?? false }.map { ($0, heard[$0]) }
        }
        gauges.set("portals_without_series", Double(without))
    }

    /// Of those that are known.
    private var silentPortals: Int {
        let (now, directory) = (WallClock.now().milliseconds, portals.directory)
        return activity.portals.count { $1.isSilent(at: now) && directory[$0]?.isHeard ?? false }
    }

    private func setRegistryGauges() {
        guard let registry else { return }
        let part = StatusReport.RegistryPart(registry)
        gauges.set("registry_read", part.read ? 1 : 0)
        gauges.set("registry_unconfirmed", Double(part.unconfirmed))
        gauges.set("registry_owner", part.owner ? 1 : 0)
        gauges.set("registry_snapshot_age_seconds", part.snapshotAgeSeconds ?? .infinity)
        for state in RegisteredPortal.State.allCases {
            gauges.setPortals(state, Double(part.states[state.rawValue] ?? 0))
        }
    }

    func mainFill(_ statistics: JournalStatistics) -> JournalFill {
        JournalFill(heldBytes: statistics.heldBytes, limitBytes: statistics.maxBytes, growth: fill.growth.main)
    }

    func parkedFill(_ statistics: JournalStatistics) -> JournalFill {
        JournalFill(heldBytes: statistics.heldBytes, limitBytes: settings.parkingLimit, growth: fill.growth.parked)
    }

    /// Read and not done, and of this run's records those that are not read yet. Records of earlier runs count once read.
    func waiting(_ status: ShipperStatus, _ main: JournalStatistics) -> Int {
        status.waitingRead + max(0, main.recordsCommitted - status.readOfThisRun)
    }

    func oldestAge(_ status: ShipperStatus) -> Double? {
        guard let appendedAt = status.oldestAppendedAt else { return nil }
        return max(0, Double(WallClock.now().milliseconds - Int64(appendedAt)) / 1000)
    }
}

/// The gauges, which hold what the last scrape found.
struct BridgeGauges: Sendable {
    private let meters: [String: Meter]
    private let listMeters: [SenderList: [String: Meter]]
    private let portalMeters: [RegisteredPortal.State: Meter]
    private let factory: any MetricsFactory

    /// - Parameter registry: Whether there is one. Without it nothing is told of one, as 0 would look like a fault.
    init(factory: any MetricsFactory, lists: [SenderList] = [], registry: Bool) {
        portalMeters = Dictionary(
            uniqueKeysWithValues: (registry ? RegisteredPortal.State.allCases : []).map {
                let label = BridgeMetrics.prefix + BridgeMetrics.registeredPortals
                return ($0, Meter(label: label, dimensions: [("state", $0.rawValue)], factory: factory))
            }
        )
        self.factory = factory
        meters = Dictionary(
            uniqueKeysWithValues: (BridgeMetrics.names(.gauge) + (registry ? BridgeMetrics.names(.registryGauge) : []))
                .map {
                    ($0, Meter(label: BridgeMetrics.prefix + $0, factory: factory))
                }
        )
        listMeters = Dictionary(
            uniqueKeysWithValues: lists.map { list in
                let meters = BridgeMetrics.names(.listGauge).map {
                    let label = BridgeMetrics.prefix + $0
                    return ($0, Meter(label: label, dimensions: [("list", list.rawValue)], factory: factory))
                }
                return (list, Dictionary(uniqueKeysWithValues: meters))
            }
        )
    }

    func set(_ name: String, _ value: Double) { meters[name]?.set(value) }

    func set(_ name: String, _ value: Double, of list: SenderList) { listMeters[list]?[name]?.set(value) }

    /// Made only here: 0 would say of a librdkafka that tells nothing that all brokers are gone.
    func setBrokers(_ standings: [StatusReport.BrokerPart.Standing]) {
        let label = BridgeMetrics.prefix + BridgeMetrics.kafkaBrokers
        for standing in [StatusReport.BrokerPart.Standing.up, .down] {
            Meter(label: label, dimensions: [("state", standing.rawValue)], factory: factory)
                .set(Double(standings.count { $0 == standing }))
        }
    }

    func setPortals(_ state: RegisteredPortal.State, _ count: Double) { portalMeters[state]?.set(count) }
}
