internal import AsyncHTTPClient
internal import Bitrix24
internal import Bitrix24REST
internal import CoreMetrics
internal import Journal
internal import KafkaClient
internal import Locks
internal import Logging
internal import ServiceLifecycle
internal import Synchronization

/// What calls portals, if the settings name an application: one client for all calls, and the work of whoever owns it.
struct RESTServices: Sendable {
    private let metrics: RESTWorkMetrics
    private let offlineMetrics: OfflineMetrics
    /// Set while this replica drains.
    private let drain = OfflineDrainBox()
    private let conditions: OfflineConditions
    private let settings: BridgeSettings
    private let keyring: Keyring
    private let http: HTTPClient
    private let signals: OfflineSignals
    private let activity: ActivityLedger
    private let didDeliver: (@Sendable (borrowing DeliveryReport) -> Void)?
    private let logger: Logger

    /// Calls nothing.
    init?(
        _ settings: BridgeSettings,
        _ keyring: Keyring,
        _ signals: OfflineSignals,
        _ conditions: OfflineConditions,
        _ activity: ActivityLedger,
        _ surroundings: BridgeServices.Surroundings
    ) {
        guard settings.application.isConfigured, settings.keepsRegistry else { return nil }
        self.settings = settings
        self.keyring = keyring
        self.signals = signals
        self.conditions = conditions
        self.activity = activity
        metrics = RESTWorkMetrics(factory: surroundings.metrics)
        offlineMetrics = OfflineMetrics(factory: surroundings.metrics)
        http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings.restSettings.httpConfiguration)
        didDeliver = surroundings.didDeliver
        logger = surroundings.logger
    }

    /// The owner's work, until it is cancelled.
    func work(_ registry: PortalRegistry) async {
        let access = RegistryAccess(registry: registry, keyring: keyring, metrics: metrics, logger: logger)
        // One for all, as it holds the portals' limits.
        let client = RESTClient(http: http, settings: settings.restSettings, access: access)
        let drain = OfflineDrain(
            settings: settings,
            registry: registry,
            client: client,
            signals: signals,
            conditions: conditions,
            metrics: offlineMetrics,
            didDeliver: didDeliver,
            didConfirm: { [activity] in activity.heard($0, $1, at: WallClock.now().milliseconds) },
            logger: logger
        )
        self.drain.set(drain)
        defer { self.drain.set(nil) }
        let work = RESTWork(
            settings: settings,
            registry: registry,
            client: client,
            drain: drain,
            metrics: metrics,
            logger: logger
        )
        await withDiscardingTaskGroup { group in
            group.addTask { await drain.run() }
            group.addTask { await work.run() }
            guard settings.offline.wakeBy.contains(.push) else { return }
            let watch = PushWatch(
                settings: settings,
                registry: registry,
                signals: signals,
                metrics: offlineMetrics,
                logger: logger
            ) { memberID, signal throws(RESTError) in
                try await PushChannel(client: client, memberID: memberID).follow(signal)
            }
            group.addTask { await watch.run() }
        }
    }

    /// `nil`: this replica does not drain.
    var offlineStatus: OfflineStatus? { drain.current?.status }

    /// For a scrape.
    func setGauges(_ registry: PortalRegistry) {
        metrics.setGauges(registry)
        offlineMetrics.setGauges(drain.current, burst: settings.application.callBurst)
    }

    /// Looks for times in which no event came. Ends after whoever takes events.
    func receptionWatch(_ journal: Journal) -> any Service {
        ReceptionWatch(settings: settings, journal: journal, signals: signals, metrics: offlineMetrics, logger: logger)
    }

    /// Ends the client. Stands before whoever uses it, so that it is ended after.
    var service: any Service { ClientService(http: http) }

    /// The service group logs its services, and the client's configuration is long.
    private struct ClientService: Service, CustomStringConvertible {
        let http: HTTPClient

        var description: String { "RESTClientService" }

        func run() async throws {
            try? await gracefulShutdown()
            try? await http.shutdown()
        }
    }
}

/// The drain of the replica that owns the work. Any thread.
private final class OfflineDrainBox: Sendable {
    private let drain = Guarded<OfflineDrain?>(nil)

    var current: OfflineDrain? { drain.withLock { $0 } }

    func set(_ new: OfflineDrain?) { drain.withLock { $0 = new } }
}

extension BridgeSettings {
    var restSettings: RESTSettings {
        RESTSettings(
            clientID: application.clientID,
            clientSecret: application.clientSecret.text,
            standIn: application.standIn,
            perSecond: Double(application.callsPerSecond),
            burst: application.callBurst
        )
    }
}
