internal import Locks
internal import Logging
internal import NIOPosix
internal import ServiceLifecycle
internal import Synchronization

/// What the registry's threads share.
struct RegistryParts: Sendable {
    let registry: PortalRegistry
    let inbox: RegistryInbox
    let topic: RegistryTopic
    let files: RegistryFiles
    let status: RegistryStatusBox
    let health: HealthModel
    let signals: OfflineSignals
    let stop = RegistryStop()
    let maxRecordBytes: Int
    /// How long a change waits for Kafka.
    let timeout: Duration
    let logger: Logger

    /// Before this replica has read the registry it would refuse genuine events: of all portals without a snapshot, of those
    /// that are newer than it with one. With one it waits for a moment only, as Kafka may be away.
    func tellHealth() {
        guard !registry.isRead, !(status.readAt != nil && status.hasWaited) else {
            return health.registryChanged(obstacle: nil)
        }
        var words = "the registry of portals has not been read from Kafka yet (kafka.registryTopic \(topic.name))"
        if let fault = status.fault { words += ": \(fault)" }
        health.registryChanged(obstacle: words)
    }
}

/// What there is to know of the registry from outside. Any thread.
final class RegistryStatusBox: Sendable {
    private struct State {
        var readAt: Int64?
        var snapshotAt: Int64?
        var fault: String?
        var hasWaited = false
    }

    private let state = Guarded(State())

    /// When the topic was last known to say what is known here, milliseconds since 1970. `nil`: it is not known at all.
    var readAt: Int64? { state.withLock { $0.readAt } }
    /// When the snapshot was written.
    var snapshotAt: Int64? { state.withLock { $0.snapshotAt } }
    /// Why the topic cannot be read at the moment.
    var fault: String? { state.withLock { $0.fault } }

    /// The topic was waited for as long as there is a point in it while there is a snapshot.
    var hasWaited: Bool { state.withLock { $0.hasWaited } }

    func waited() { state.withLock { $0.hasWaited = true } }
    func read(at time: Int64) { state.withLock { $0.readAt = time } }
    func snapshotWritten(at time: Int64) { state.withLock { $0.snapshotAt = time } }
    func fault(_ words: String?) { state.withLock { $0.fault = words } }
}

/// Keeps the registry: reads the topic to its end and follows it, and writes what is changed here. Two threads of its own, as
/// librdkafka and the disk block.
struct RegistryService: Service, CustomStringConvertible {
    let parts: RegistryParts
    /// How long a graceful shutdown waits for Kafka to confirm the last changes.
    let shutdownTimeout: Duration
    private let startedAt = ContinuousClock.now

    /// How long a start with a snapshot waits for what was written since. Shorter than the second in which a bridge whose Kafka
    /// is away is to take events.
    static let patience: Duration = .milliseconds(700)

    /// The service group logs its services.
    var description: String { "RegistryService" }

    /// Reads the files beside the journal, so that their portals are known before the first event comes.
    init(_ parts: RegistryParts, shutdownTimeout: Duration) {
        self.parts = parts
        self.shutdownTimeout = shutdownTimeout
        let findings = parts.files.load { name, entries in
            switch name {
            case .snapshot: parts.registry.restore(entries, unconfirmed: [])
            case .unconfirmed: parts.registry.restore([], unconfirmed: entries)
            }
        }
        for fault in findings.faults {
            parts.logger.error(
                "a file of the registry cannot be used; the registry is read from Kafka instead",
                metadata: ["finding": "\(fault)"]
            )
        }
        parts.registry.publish()
        if let readAt = findings.readAt {
            parts.status.read(at: readAt)
            parts.status.snapshotWritten(at: readAt)
        }
        parts.tellHealth()
        if !parts.files.keyring.canSeal {
            parts.logger.warning(
                "there is no secrets.key: OAuth tokens are not stored, so portals cannot be called, and the snapshot of the registry is not sealed (it holds digests of tokens only)"
            )
        }
    }

    func run() async throws {
        let parts = parts
        // Ends with this function.
        async let _ = becomeReady()
        let threads = NIOThreadPool(numberOfThreads: 2)
        threads.start()
        let result: Result<Void, any Error>
        do {
            try await withTaskCancellationHandler {
                try await withGracefulShutdownHandler {
                    async let following: Void = threads.runIfActive { RegistryFollower(parts).run() }
                    do {
                        try await threads.runIfActive { try RegistryWriter(parts).run() }
                    } catch {
                        parts.stop.raise()
                        throw error
                    }
                    try await following
                } onGracefulShutdown: {
                    parts.inbox.stop(deadline: .now + shutdownTimeout)
                    parts.stop.raise()
                }
            } onCancel: {
                parts.inbox.stop(deadline: .now)
                parts.stop.raise()
            }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        parts.inbox.close()
        try await threads.shutdownGracefully()
        try result.get()
    }

    private func becomeReady() async {
        guard (try? await Task.sleep(until: startedAt + Self.patience)) != nil else { return }
        parts.status.waited()
        parts.tellHealth()
    }
}
