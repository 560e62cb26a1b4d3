internal import Foundation
internal import Journal
package import Logging

/// The registry for a command: read from Kafka, changed there, and gone from this machine at the end. It takes no part in who
/// does the REST work.
package enum RegistrySession {
    /// Runs `body` once the registry was read to its end.
    ///
    /// - Throws: `TokenFault` when there is no token for Kafka, `RegistryError` when it could not be read within `timeout`; else
    ///   what `body` throws.
    package static func run<Value>(
        _ settings: BridgeSettings,
        timeout: Duration,
        logger: Logger,
        isolation: isolated (any Actor)? = #isolation,
        _ body: (PortalRegistry) async throws -> Value
    ) async throws -> Value {
        try await settings.withKafkaTokens { try await read(settings, timeout: timeout, logger: logger, body) }
    }

    private static func read<Value>(
        _ settings: BridgeSettings,
        timeout: Duration,
        logger: Logger,
        isolation: isolated (any Actor)? = #isolation,
        _ body: (PortalRegistry) async throws -> Value
    ) async throws -> Value {
        let directory = FileManager.default.temporaryDirectory.appending(path: "b24bridge-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(
            atPath: directory,
            withIntermediateDirectories: false,
            attributes: [.posixPermissions: 0o700]
        )
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let parts = parts(settings, directory, timeout: timeout, logger)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await RegistryService(parts, shutdownTimeout: .zero).run() }
            defer { group.cancelAll() }
            let deadline = ContinuousClock.now + timeout
            while !parts.registry.isRead {
                guard .now < deadline else {
                    throw RegistryError(
                        .topic,
                        "the registry \(settings.kafka.registryTopic) could not be read within "
                            + "\(timeout.components.seconds) s" + (parts.status.fault.map { ": \($0)" } ?? "")
                    )
                }
                try await Task.sleep(for: .milliseconds(20))
            }
            return try await body(parts.registry)
        }
    }

    private static func parts(
        _ settings: BridgeSettings,
        _ directory: String,
        timeout: Duration,
        _ logger: Logger
    ) -> RegistryParts {
        let inbox = RegistryInbox()
        return RegistryParts(
            // Two commands at the same time give no stamp twice.
            registry: PortalRegistry(
                replica: "\(settings.replica)-command-\(UUID().uuidString.prefix(8))",
                store: nil,
                inbox: inbox
            ),
            inbox: inbox,
            topic: RegistryTopic(settings),
            files: RegistryFiles(
                directory: directory,
                topic: settings.kafka.registryTopic,
                fileSystem: POSIXFileSystem(),
                keyring: Keyring(settings.secrets)
            ),
            status: RegistryStatusBox(),
            health: HealthModel(),
            signals: OfflineSignals(),
            maxRecordBytes: settings.kafka.maxRecordBytes,
            timeout: timeout,
            logger: logger
        )
    }
}
