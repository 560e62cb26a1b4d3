import ArgumentParser
import Bridge
import Foundation
import Logging

extension BridgeSettings {
    /// Runs `body` with the registry as Kafka has it.
    ///
    /// - Throws: `ExitCode` after it has said what is wrong.
    func withRegistry<Value>(
        patience: Duration,
        _ body: (PortalRegistry) async throws -> Value
    ) async throws -> Value {
        guard keepsRegistry else {
            throw usage("there is no registry of portals: set application.clientId, or portals.registry to true")
        }
        let silent = Logger(label: "b24bridge") { _ in SwiftLogNoOpLogHandler() }
        do {
            return try await RegistrySession.run(self, timeout: patience, logger: silent, body)
        } catch let error as RegistryError {
            writeToStandardError("\(error). Check kafka.bootstrapServers, kafka.registryTopic and the rights on it.\n")
            throw ExitCode.failure
        }
    }
}
