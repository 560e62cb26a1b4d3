internal import KafkaClient
internal import ServiceLifecycle

/// The registry of one replica, if its settings ask for one: what is shared, and the services that keep it.
struct RegistryServices {
    let parts: RegistryParts
    /// In the order in which they start.
    let services: [any Service]

    /// Reads the files beside the journal; connects nothing.
    init?(
        _ settings: BridgeSettings,
        _ keyring: Keyring,
        _ portals: PortalStore,
        _ health: HealthModel,
        _ signals: OfflineSignals,
        _ surroundings: BridgeServices.Surroundings,
        timeout: Duration = .seconds(10),
        work: @escaping @Sendable (PortalRegistry) async -> Void = { _ in }
    ) {
        guard settings.keepsRegistry else { return nil }
        let inbox = RegistryInbox()
        let registry = PortalRegistry(replica: settings.replica, store: portals, inbox: inbox)
        parts = RegistryParts(
            registry: registry,
            inbox: inbox,
            topic: RegistryTopic(settings),
            files: RegistryFiles(
                directory: settings.registryDirectory,
                topic: settings.kafka.registryTopic,
                fileSystem: surroundings.fileSystem,
                keyring: keyring
            ),
            status: RegistryStatusBox(),
            health: health,
            signals: signals,
            maxRecordBytes: settings.kafka.maxRecordBytes,
            timeout: timeout,
            logger: surroundings.logger
        )
        signals.relay { inbox.tell($0) }
        services = [
            RegistryService(parts, shutdownTimeout: min(settings.shutdownTimeout, .seconds(5))),
            RegistryOwnership(parts) { await work(registry) },
        ]
    }
}
