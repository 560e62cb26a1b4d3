import ArgumentParser
import Bitrix24
import Bridge
import Configuration
import Foundation

/// `--config` and what follows from it.
struct ConfigurationOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "YAML file of the configuration.",
            discussion: """
                Each value can be overridden by an environment variable: B24_ and the key's path, as \
                B24_KAFKA_BOOTSTRAP_SERVERS for kafka.bootstrapServers. Without a file the environment alone counts.
                """,
            valueName: "file"
        )
    )
    var config: String?
}

/// The configuration as the command found it: file, environment, portals.
struct LoadedConfiguration {
    let settings: BridgeSettings
    let portals: PortalDirectory
    /// B24_ variables that name no key.
    let unusedEnvironment: [String]

    /// Reads everything and reports all faults together, one line each, on standard error.
    ///
    /// - Throws: `ExitCode(2)` after reporting.
    static func load(
        _ options: ConfigurationOptions,
        overrides: [String: String] = [:]
    ) throws -> LoadedConfiguration {
        let environment = ProcessInfo.processInfo.environment.merging(overrides) { _, override in override }
        var faults: [String] = []
        func collect<T>(_ read: () throws -> T) throws -> T? {
            do {
                return try read()
            } catch let error as ConfigurationFaults {
                faults.append(error.description)
                return nil
            }
        }
        let settings = try collect {
            let reader = try ConfigurationReader.load(
                file: options.config,
                environment: environment,
                environmentPrefix: "B24"
            )
            let settings = try BridgeSettings(reading: reader, hostName: ProcessInfo.processInfo.hostName)
            try reader.finish()
            return (settings, reader.unusedEnvironment)
        }
        var portals = PortalDirectory.empty
        if let file = settings?.0.portalsFile, !file.isEmpty {
            portals = try collect { try PortalFile.load(file, environment: environment) } ?? .empty
        }
        guard let (settings, unused) = settings, faults.isEmpty else {
            writeToStandardError(faults.joined(separator: "\n") + "\n")
            throw ExitCode(2)
        }
        return LoadedConfiguration(settings: settings, portals: portals, unusedEnvironment: unused)
    }
}
