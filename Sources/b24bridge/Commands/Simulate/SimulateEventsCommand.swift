import ArgumentParser
import Bitrix24
import Bridge
import Configuration
import Foundation
import Simulation
import UnixSignals

struct SimulateEventsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "Send events as Bitrix24 does, and prove that what was answered 200 arrives in Kafka.",
        discussion: """
            Each event is posted once, whatever becomes of it. The events of one object come one after the other on one \
            connection, so that their order is known. With --verify the topics are read from before the first event on, \
            and every record is compared with what was sent: an acknowledged event must be there, under one id, with \
            its key, in its topic, in the order of its key. An event may be there twice.

            Against the bridge of a configuration; its portals file must have the tokens:
              b24bridge simulate events --config b24bridge.yaml --verify

            The same through its public address:
              b24bridge simulate events --config b24bridge.yaml --verify \\
                --url 'https://bridge.example/b24/events/{portal}'

            Against b24bridge serve --dev, which prints the whole command:
              b24bridge simulate events --verify --bootstrap-servers SERVERS

            100 events a second for ten minutes, through whatever you do to the bridge meanwhile:
              b24bridge simulate events --config b24bridge.yaml --verify \\
                --rate 100 --duration 10m --hold

            Answer times are counted from when an event was due, so that waiting behind a slow answer counts as well. \
            Ctrl-C ends sending; what was sent is verified all the same. A second Ctrl-C ends waiting, too.

            Exit status: 0 something was acknowledged and (with --verify) everything is as it must be, 1 it is not, or \
            nobody answered, 2 bad usage or configuration.
            """
    )

    @OptionGroup var configuration: ConfigurationOptions
    @OptionGroup var pace: PaceOptions
    @OptionGroup var verification: VerificationOptions

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Where to send. Default: this host, with http.port and http.path.",
            discussion: "{portal} in it stands for the member_id, for an ingress that keeps a portal on one replica."
        )
    )
    var url: String?

    @Option(name: .long, help: ArgumentHelp("Send for the first so many portals. Default: all.", valueName: "number"))
    var portals: Int?

    @Option(name: .long, help: ArgumentHelp("Distinct objects for each portal and event code.", valueName: "number"))
    var entities: Int?

    @Option(
        name: .long,
        help: ArgumentHelp("Event codes, comma-separated, equally often. Default: a usual mix.", valueName: "codes")
    )
    var events: String?

    @Flag(name: .long, help: "Print the report as one JSON object.")
    var json = false

    func run() async throws {
        ignoreBrokenPipes()
        let bridge = try bridgeSettings()
        let simulation: EventSimulation
        do {
            simulation = try EventSimulation(try settings(bridge))
        } catch let error as SimulationError {
            throw usage("\(error)")
        }
        if simulation.connections < simulation.settings.connections {
            writeToStandardError(
                "Keys: \(simulation.keys), so no more than \(counted(simulation.connections, "connection")) can be used; "
                    + "more come with more --entities.\n"
            )
        }
        let isVerified = simulation.settings.kafka != nil
        let display = ProgressDisplay(total: simulation.settings.count, isVerified: isVerified)
        let signals = Task {
            for await _ in await UnixSignalsSequence(trapping: .sigint, .sigterm) {
                display.finish()
                simulation.stop()
            }
        }
        defer { signals.cancel() }
        let report: SimulationReport
        do {
            let run = { try await simulation.run { display.show($0) } }
            report = isVerified ? try await bridge.withKafkaTokens(run) : try await run()
            display.finish()
        } catch {
            display.finish()
            writeToStandardError("\(error)\n")
            throw ExitCode.failure
        }
        if json {
            try printJSONLine(report)
        } else {
            try writeToStandardOutput(SimulationReportText.text(report))
        }
        for line in SimulationReportText.remarks(report) { writeToStandardError(line + "\n") }
        if !report.isGood { throw ExitCode.failure }
    }

    // MARK: Settings

    private func settings(_ bridge: BridgeSettings) throws -> SimulationSettings {
        var settings = SimulationSettings(
            url: try address(bridge.http),
            portals: try simulatedPortals(bridge),
            topic: bridge.kafka.topic,
            key: bridge.kafka.key
        )
        settings.mode = bridge.kafka.mode
        if let events {
            settings.mix = try EventMix(
                codes: events.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
            )
            for code in settings.mix.unknownCodes {
                writeToStandardError(
                    "\(code) is not in the event catalog; the bridge takes it for an event of \"other\".\n"
                )
            }
        }
        // Many portals have many keys; a run of some thousand events is to see most of them more than once.
        settings.entities = entities ?? max(1, min(10, 1000 / settings.portals.count))
        guard (1...1_000_000).contains(settings.entities),
            settings.entities * settings.portals.count * settings.mix.kinds.count <= 10_000_000
        else {
            throw usage("--entities is out of range: portals, event codes and entities make up to 10 million objects")
        }
        try pace.apply(to: &settings)
        if verification.verify {
            let servers = verification.bootstrapServers ?? bridge.kafka.bootstrapServers
            guard !servers.isEmpty else {
                throw usage("--verify needs to know where Kafka is: give --config, or --bootstrap-servers")
            }
            settings.kafka = .init(
                bootstrapServers: servers,
                properties: bridge.kafka.properties,
                tokens: bridge.kafka.oauth?.tokens
            )
            settings.arrivalTimeout = try verification.arrivalTimeout()
        }
        return settings
    }

    /// Without a file, what `serve --dev` has; B24_ variables count there as well.
    private func bridgeSettings() throws -> BridgeSettings {
        if configuration.config != nil { return try LoadedConfiguration.load(configuration).settings }
        let isGiven = ProcessInfo.processInfo.environment["B24_KAFKA_BOOTSTRAP_SERVERS"] != nil
        var overrides = ["B24_PORTALS_FILE": ""]
        // It is required; what is said here is not used.
        if !isGiven { overrides["B24_KAFKA_BOOTSTRAP_SERVERS"] = "127.0.0.1:9092" }
        var settings = try LoadedConfiguration.load(configuration, overrides: overrides).settings
        if !isGiven { settings.kafka.bootstrapServers = "" }
        return settings
    }

    private func address(_ http: BridgeSettings.HTTP) throws -> String {
        guard let url else {
            let anyHost = ["0.0.0.0", "::", ""].contains(http.host)
            let host = anyHost ? "127.0.0.1" : http.host.contains(":") ? "[\(http.host)]" : http.host
            guard http.port > 0 else { throw usage("http.port is 0, which is any port; name the address with --url") }
            return "http://\(host):\(http.port)\(http.path)"
        }
        let example = url.replacing("{portal}", with: DevelopmentStage.memberID)
        guard let parts = URLComponents(string: example), ["http", "https"].contains(parts.scheme?.lowercased()),
            let host = parts.host, !host.isEmpty
        else { throw usage("--url takes an address such as https://bridge.example/b24/events") }
        return url
    }

    private func simulatedPortals(_ bridge: BridgeSettings) throws -> [SimulatedPortal] {
        var all = [
            SimulatedPortal(
                memberID: DevelopmentStage.memberID,
                domain: "portal.bitrix24.com",
                token: DevelopmentStage.token,
                isWebhook: false
            )
        ]
        if configuration.config != nil {
            guard !bridge.portalsFile.isEmpty else {
                throw usage("portals.file is empty; the simulation needs portals and their tokens")
            }
            let environment = ProcessInfo.processInfo.environment
            do {
                all = try PortalFile.entries(bridge.portalsFile, environment: environment).compactMap(
                    SimulatedPortal.init
                )
            } catch {
                throw usage("\(error)")
            }
            guard !all.isEmpty else {
                throw usage("\(bridge.portalsFile) names no portal; b24bridge simulate portals makes some up")
            }
        }
        guard let portals else { return all }
        guard portals >= 1 else { throw usage("--portals takes a number above zero") }
        guard portals <= all.count else {
            let file = configuration.config == nil ? "serve --dev" : bridge.portalsFile
            throw usage("--portals \(portals): \(file) has \(all.count) only; b24bridge simulate portals makes some up")
        }
        return Array(all.prefix(portals))
    }
}

extension SimulatedPortal {
    /// - Returns: `nil` for a portal without tokens.
    fileprivate init?(_ entry: PortalFile.Entry) {
        guard let token = entry.applicationTokens.first ?? entry.webhookTokens.first else { return nil }
        self.init(
            memberID: entry.memberID,
            domain: entry.domain,
            token: token,
            isWebhook: entry.applicationTokens.isEmpty
        )
    }
}
