import ArgumentParser
import Bitrix24
import Bridge
import Configuration
import Foundation
import KafkaClient

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
    var settings: BridgeSettings
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
        func collect<T>(_ read: () throws(ConfigurationFaults) -> T) -> T? {
            do {
                return try read()
            } catch {
                faults.append(error.description)
                return nil
            }
        }
        let reader = collect { () throws(ConfigurationFaults) in
            try ConfigurationReader.load(file: options.config, environment: environment, environmentPrefix: "B24")
        }
        guard let reader else { throw reported(faults, options) }
        let source = options.config ?? "environment"
        let settings = try BridgeSettings(reading: reader, hostName: ProcessInfo.processInfo.hostName)
        _ = collect { () throws(ConfigurationFaults) in try reader.finish() }
        // Where values are missing or wrong, defaults stand in by now, so that these can be looked at all the same.
        faults += propertyFaults(settings).map { "\(source): \($0)" }
        var portals = PortalDirectory.empty
        if !settings.portalsFile.isEmpty {
            do {
                portals = try PortalFile.load(settings.portalsFile, environment: environment)
            } catch {
                // A fault of the file as a whole names no key of it; the key that names the file helps then.
                for fault in error.faults {
                    faults.append((fault.key.isEmpty ? "\(source): portals.file: " : "") + "\(error.source): \(fault)")
                }
            }
        }
        guard faults.isEmpty else { throw reported(faults, options) }
        return LoadedConfiguration(settings: settings, portals: portals, unusedEnvironment: reader.unusedEnvironment)
    }

    private static func reported(_ faults: [String], _ options: ConfigurationOptions) -> ExitCode {
        var text = faults.joined(separator: "\n") + "\n"
        if options.config == nil {
            text += "No file was named: use --config FILE. To try the bridge out without one: b24bridge serve --dev\n"
        }
        writeToStandardError(text)
        return ExitCode(2)
    }

    /// What librdkafka, or the bridge, has against `kafka.properties`, one line each.
    private static func propertyFaults(_ settings: BridgeSettings) -> [String] {
        do {
            try validate(settings.producerConfiguration)
            return []
        } catch {
            return error.faults.compactMap { PropertyFaultText.line($0, settings) }
        }
    }
}

/// A fault of a librdkafka property in the words of the configuration.
enum PropertyFaultText {
    /// `nil` for what the reader of the configuration has told already.
    static func line(_ fault: KafkaPropertyFault, _ settings: BridgeSettings) -> String? {
        let property = fault.property
        if property == "bootstrap.servers", settings.kafka.properties[property] == nil {
            return settings.kafka.bootstrapServers.isEmpty ? nil : "kafka.bootstrapServers: \(fault.reason)"
        }
        if property == "queue.buffering.max.kbytes", settings.kafka.properties[property] == nil {
            return "kafka.maxRecordBytes: \(fault.reason); give less"
        }
        if ProducerConfiguration.reserved[property] != nil {
            return "kafka.properties.\(property): \(fault.reason)"
                + (fault.reason.hasSuffix("leave it out here") ? "" : "; leave it out")
        }
        if property == "properties" { return "kafka.properties: \(fault.reason); see CONFIGURATION.md of librdkafka" }
        // Without the value: under a name that nobody knows there may be a secret.
        return "kafka.properties.\(property): \(fault.reason); see CONFIGURATION.md of librdkafka for names and values"
    }
}
