import ArgumentParser
import Bitrix24
import Bridge
import Configuration
import Foundation
import Journal
import KafkaClient
import Logging
import ServiceLifecycle
import Telemetry
import UnixSignals

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Receive events and ship them to Kafka.",
        discussion: """
            To try it out, --dev needs nothing else: Kafka is librdkafka's own in-process cluster, the journal a \
            temporary directory, and there is one sample portal. It prints a curl command to try, and each record as it \
            is delivered:

              b24bridge serve --dev

            In earnest, a YAML file (or B24_ variables) says where Kafka, the journal and the portals are. The least is:

              kafka:   {bootstrapServers: "broker:9092"}
              journal: {directory: data/journal}
              portals: {file: portals.yaml}

              b24bridge serve --config b24bridge.yaml

            Events come to port 8080 at /b24/events (http.port, http.path), its state is at http://127.0.0.1:9090/ \
            (admin.port). SIGTERM and Ctrl-C stop it without losing anything that was answered; SIGHUP re-reads the \
            portals.

            Exit status: 0 stopped as asked, 1 failure, 2 bad usage or configuration.
            """
    )

    @OptionGroup var configuration: ConfigurationOptions
    @OptionGroup var log: LogOptions

    @Flag(name: .long, help: "Try it out: brings Kafka, journal and portal along.")
    var dev = false

    func validate() throws {
        if dev, configuration.config != nil {
            throw ValidationError("--dev brings its own configuration; leave out --config, or leave out --dev")
        }
    }

    func run() async throws {
        ignoreBrokenPipes()
        // A write beyond the limit of file size is an error like others then; the journal goes on in a new segment.
        signal(SIGXFSZ, SIG_IGN)
        let openFiles = raiseOpenFileLimit()
        // Until the portals' watcher listens for it, and where there is no file to watch, it ends nothing.
        signal(SIGHUP, SIG_IGN)
        let (logger, output) = log.makeLogger(defaultFormat: dev ? .text : .json)
        defer { _ = output.close(within: .seconds(2)) }
        if dev {
            let stage = try DevelopmentStage()
            defer { stage.remove() }
            let loaded = try stage.configuration()
            try await serve(loaded, openFiles: openFiles, logger: logger) { surroundings in
                stage.attach(to: &surroundings, path: loaded.settings.http.path)
            }
        } else {
            let loaded = try LoadedConfiguration.load(configuration)
            try await serve(loaded, openFiles: openFiles, logger: logger) { _ in }
        }
    }

    private func serve(
        _ loaded: LoadedConfiguration,
        openFiles: Int?,
        logger: Logger,
        adjust: (inout BridgeServices.Surroundings) -> Void
    ) async throws {
        for name in loaded.unusedEnvironment {
            logger.warning("an environment variable names no key of the configuration", metadata: ["name": "\(name)"])
        }
        let registry = MetricsRegistry.forBridge(portals: loaded.settings.admin.portalMetrics)
        var surroundings = BridgeServices.Surroundings(
            version: BridgeVersion.current,
            environment: ProcessInfo.processInfo.environment,
            metrics: registry,
            renderMetrics: { registry.render() },
            logger: logger
        )
        adjust(&surroundings)
        logStart(loaded, openFiles: openFiles, logger: logger)
        let bridge: BridgeServices
        do {
            bridge = try BridgeServices(loaded.settings, portals: loaded.portals, surroundings)
        } catch let error as JournalError {
            writeToStandardError("\(error)\n")
            throw ExitCode(1)
        }
        // At lower levels it describes the services with all they hold: librdkafka's properties, the environment.
        var groupLogger = logger
        groupLogger.logLevel = max(logger.logLevel, .notice)
        var group = ServiceGroupConfiguration(
            services: bridge.services.map { ServiceGroupConfiguration.ServiceConfiguration(service: $0) },
            // The end of a terminal ends what was tried out in it.
            gracefulShutdownSignals: dev ? [.sigterm, .sigint, .sighup] : [.sigterm, .sigint],
            logger: groupLogger
        )
        // The listener's delay, its last requests and the flush each have bounds of their own; this is the last resort.
        group.maximumGracefulShutdownDuration =
            loaded.settings.shutdownDelay + loaded.settings.http.requestTimeout + loaded.settings.shutdownTimeout
            + .seconds(30)
        do {
            try await ServiceGroup(configuration: group).run()
        } catch {
            var metadata: Logger.Metadata = ["error": "\(error)"]
            if let mend = loaded.settings.mendOfListener("\(error)") { metadata["mend"] = "\(mend)" }
            logger.critical("stopped by an error", metadata: metadata)
            throw ExitCode(1)
        }
        logger.info("stopped")
    }

    private func logStart(_ loaded: LoadedConfiguration, openFiles: Int?, logger: Logger) {
        let settings = loaded.settings
        logger.info(
            "starting",
            metadata: [
                "version": "\(BridgeVersion.current)", "replica": "\(settings.replica)",
                "librdkafka": "\(Librdkafka.version)", "kafka": "\(settings.kafka.bootstrapServers)",
                "journal": "\(settings.journal.directory)", "portals": "\(loaded.portals.count)",
                "maxOpenFiles": "\(openFiles.map(String.init) ?? "unknown")",
            ]
        )
        if !dev, Librdkafka.isBelow(2, 3, 0) {
            logger.warning(
                "this librdkafka may lose the order of records after certain errors; use 2.3.0 or newer",
                metadata: ["librdkafka": "\(Librdkafka.version)"]
            )
        }
        if loaded.portals.count == 0, !settings.keepsRegistry {
            logger.warning(
                "no portal is known; every event will be refused",
                metadata: ["file": "\(settings.portalsFile)"]
            )
        }
    }
}

/// Whoever reads our output may go away; that must not end the process.
func ignoreBrokenPipes() { signal(SIGPIPE, SIG_IGN) }

extension BridgeSettings {
    /// Which setting to change when a listener's words say that it cannot listen. They name address and port, not keys.
    fileprivate func mendOfListener(_ words: String) -> String? {
        for (section, host, port) in [("http", http.host, http.port), ("admin", admin.host, admin.port)]
        where words.hasPrefix("cannot listen on \(host) port \(port):") {
            let variable = "B24_\(section.uppercased())_PORT"
            return
                "set \(section).port (\(variable)) to a free port, or to 0 for any; or \(section).host to an address of this host"
        }
        return nil
    }
}

extension MetricsRegistry {
    /// A registry that knows what the bridge's metrics mean.
    ///
    /// - Parameter portals: how many of them have series of their own. Nothing else has so many.
    static func forBridge(portals: Int) -> MetricsRegistry {
        let registry = MetricsRegistry(maxLabelSets: max(1000, portals))
        let bridge = BridgeMetrics.descriptions.map { (name: $0.name, text: $0.text) }
        for (name, text) in bridge + RESTWorkMetrics.descriptions + OfflineMetrics.descriptions {
            registry.help(BridgeMetrics.prefix + name, text)
        }
        let bounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
        for name in BridgeMetrics.names(.histogram) { _ = registry.buckets(BridgeMetrics.prefix + name, bounds) }
        return registry
    }
}
