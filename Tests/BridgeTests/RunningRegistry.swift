import Bitrix24
import Foundation
import Journal
import KafkaClient
import Locks
import ServiceLifecycle
import Synchronization
import Telemetry
import Testing

@testable import Bridge

/// The registry of one replica, running: its services and nothing else of the bridge.
final class RunningRegistry: Sendable {
    let parts: RegistryParts
    let store: PortalStore
    let logs: LogLines
    let work: Work
    private let directory: TemporaryDirectory
    private let group: ServiceGroup
    private let task: Task<Void, any Error>

    /// Stands for the owner's REST work.
    final class Work: Sendable {
        private let state = Guarded((isRunning: false, begun: 0))

        var isRunning: Bool { state.withLock { $0.isRunning } }
        var begun: Int { state.withLock { $0.begun } }

        func run() async {
            state.withLock { $0 = (true, $0.begun + 1) }
            while !Task.isCancelled { try? await Task.sleep(for: .seconds(3600)) }
            state.withLock { $0.isRunning = false }
        }
    }

    var registry: PortalRegistry { parts.registry }

    /// - Parameters:
    ///   - topic: Must be there, as the in-process cluster does not answer CreateTopics.
    ///   - runs: `false`: its parts only.
    init(
        _ replica: String,
        servers: String,
        topic: String,
        directory: TemporaryDirectory? = nil,
        secrets: BridgeSettings.Secrets = .init(current: KeyringTests.key("1"), previous: []),
        owns: Bool = true,
        runs: Bool = true
    ) throws {
        let directory = try directory ?? TemporaryDirectory()
        var settings = try RunningBridge.settings(servers: servers, directory: directory, prefix: topic)
        settings.replica = replica
        settings.keepsRegistry = true
        settings.kafka.registryTopic = topic
        settings.secrets = secrets
        let logs = LogLines()
        let surroundings = BridgeServices.Surroundings(
            version: "test",
            environment: [:],
            metrics: MetricsRegistry(),
            renderMetrics: { [] },
            logger: logs.logger
        )
        let store = PortalStore(.empty)
        let work = Work()
        let registry = RegistryServices(
            settings,
            Keyring(settings.secrets),
            store,
            HealthModel(),
            OfflineSignals(),
            surroundings,
            timeout: .seconds(2),
            work: { _ in await work.run() }
        )
        guard let registry else { throw WaitingEnded() }
        parts = registry.parts
        self.store = store
        self.logs = logs
        self.work = work
        self.directory = directory
        group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: registry.services.filter { owns || !($0 is RegistryOwnership) }
                    .map { ServiceGroupConfiguration.ServiceConfiguration(service: $0) },
                logger: logs.logger
            )
        )
        task = Task { [group] in if runs { try await group.run() } }
    }

    /// As SIGTERM does.
    func stop() async throws {
        await group.triggerGracefulShutdown()
        try await task.value
    }

    /// Ends it without asking anything of it any more.
    func abandon() async {
        task.cancel()
        _ = await task.result
    }

    func waitUntilRead(_ sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try await wait(for: "the registry to be read; \(logs.lines.suffix(5))", sourceLocation: sourceLocation) {
            registry.isRead
        }
    }

    var isReady: Bool { !parts.health.obstacles.contains { $0.contains("registry") } }

    /// Sets what tells a change from another.
    @discardableResult
    func order(_ id: String, of memberID: String, until durability: PortalRegistry.Durability = .kafka) async throws
        -> RegisteredPortal
    {
        try await registry.change(memberID, until: durability) { $0.order = .init(id: id, kind: .plan, at: 1) }
    }

    static func newTopic(on cluster: MockCluster) throws -> String {
        let name = "registry-\(UUID().uuidString.prefix(8).lowercased())"
        try cluster.createTopic(name)
        return name
    }
}
