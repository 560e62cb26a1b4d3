import ArgumentParser
import Bridge
import Foundation
import Journal
import KafkaClient
import Logging
import ServiceLifecycle
import Telemetry
import UnixSignals

struct JournalReplayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Deliver what waits in the journal of a bridge that does not run; or send a range again.",
        discussion: """
            Without a range it delivers what the bridge did not: that of a dead replica's volume, for example. It is \
            the shipper of serve, without a listener, so order, parking and checkpoint are the same, and what it \
            cannot deliver stays. A running bridge delivers by itself; its journal is refused here. Events that wait for \
            their portal's token and installations that are not verified yet lie beside the journal: only a bridge that \
            runs there deals with them, and the exit status is 1 as long as there are some.

              b24bridge journal replay --config b24bridge.yaml --directory /mnt/journal

            With --from or --to it sends records of the main journal again, delivered or not, as far back as \
            journal.retain reaches: the same bytes, so the same ids. It only reads then and may run beside the bridge, \
            to which it leaves what is not delivered yet.

              b24bridge journal replay --config b24bridge.yaml \\
                --from 2026-11-20T03:15:00Z --topic bitrix24.crm.deal

            Either can be stopped at any moment and run again; what comes twice has the same id.

            Exit status: 0 everything is delivered, 1 something is not or cannot be read, 2 bad usage or configuration.
            """
    )

    @OptionGroup var location: JournalLocation
    @OptionGroup var selection: RecordSelection
    @OptionGroup var log: LogOptions

    @Flag(name: .long, help: "Only say how many records of each topic would be sent.")
    var dryRun = false

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Give up when nothing was delivered for so long, 1 to 86400. Default: kafka.parkAfter and 30 s.",
            valueName: "seconds"
        )
    )
    var timeout: Int?

    @Flag(name: .long, help: "Print the result as JSON.")
    var json = false

    func validate() throws {
        if let timeout, !(1...86_400).contains(timeout) {
            throw ValidationError("--timeout takes 1 to 86400 seconds")
        }
        if !isRange, !selection.topic.isEmpty || !selection.portal.isEmpty {
            throw ValidationError(
                "--topic and --portal go with --from or --to; without a range everything is delivered"
            )
        }
    }

    private var isRange: Bool { selection.from != nil || selection.to != nil }

    func run() async throws {
        ignoreBrokenPipes()
        let settings = try location.load().settings
        let site = try reportingFaults { try JournalSite(inspecting: settings.journal.directory) }
        if isRange {
            try await resend(site, settings)
        } else {
            try await replay(site, settings)
        }
    }

    // MARK: What waits

    private func replay(_ site: JournalSite, _ settings: BridgeSettings) async throws {
        if dryRun {
            site.warnIfInUse()
        } else if site.isInUse {
            throw Self.inUse(site.directory)
        }
        var bar = ReadingBar("counting", bytes: Backlog.bytes(of: site))
        let backlog = try reportingFaults { try Backlog(of: site) { bar.update($0) } }
        bar.finish()
        if dryRun {
            try ReplayText.print(backlog, json: json)
            if backlog.unread.isLoss || backlog.unread.needsBridge { throw ExitCode.failure }
            return
        }
        let result =
            backlog.records == 0
            ? .nothing(backlog.unread) : try await settings.withKafkaTokens { try await deliver(backlog, settings) }
        try ReplayText.print(result, json: json)
        if result.left > 0 || result.unread.isLoss || result.unread.needsBridge { throw ExitCode.failure }
    }

    private func deliver(_ backlog: Backlog, _ settings: BridgeSettings) async throws -> Replay.Result {
        var (logger, output) = log.makeLogger(defaultFormat: .text)
        // What goes as it should, the progress bar and the result tell.
        if logger.logLevel == .info { logger.logLevel = .notice }
        defer { _ = output.close(within: .seconds(2)) }
        let bar = DeliveryBar(backlog.records)
        let replay: Replay
        do {
            replay = try Replay(
                settings,
                backlog: backlog,
                timeout: timeout.map { .seconds($0) },
                logger: logger,
                progress: { bar.update($0, $1) }
            )
        } catch let error as JournalError where error.code == .locked {
            throw Self.inUse(settings.journal.directory)
        } catch {
            return try reportingFaults { throw error }
        }
        var groupLogger = logger
        groupLogger.logLevel = max(logger.logLevel, .notice)
        let services = replay.services.map { service in
            ServiceGroupConfiguration.ServiceConfiguration(
                service: service,
                successTerminationBehavior: .gracefullyShutdownGroup
            )
        }
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services,
                gracefulShutdownSignals: [.sigterm, .sigint, .sighup],
                logger: groupLogger
            )
        )
        do {
            try await group.run()
        } catch {
            bar.finish()
            _ = replay.end()
            writeToStandardError("\(error)\n")
            throw ExitCode.failure
        }
        bar.finish()
        return replay.end()
    }

    private static func inUse(_ directory: String) -> ExitCode {
        writeToStandardError(
            """
            A bridge runs on \(directory): it delivers what waits there itself, so there is nothing to replay. \
            Its state: /status on its admin port. To send again what was delivered, give --from or --to.

            """
        )
        return .failure
    }

    // MARK: A range

    private func resend(_ site: JournalSite, _ settings: BridgeSettings) async throws {
        site.warnIfInUse()
        let limit = timeout.map { Duration.seconds($0) } ?? settings.kafka.parkAfter + .seconds(30)
        let resend = Resend(site, filter: selection.filter, timeout: limit)
        let result: Resend.Result
        if dryRun {
            var bar = ReadingBar("counting", bytes: resend.bytes)
            result = try reportingFaults { try resend.count { bar.update($0) } }
            bar.finish()
        } else {
            result = try await settings.withKafkaTokens { try await send(resend, settings) }
        }
        if let oldest = result.reachesBackTo {
            writeToStandardError(
                "The range begins before what is still there: the oldest record is \(oldest). Raise journal.retain to keep more.\n"
            )
        }
        try ReplayText.print(result, isDryRun: dryRun, json: json)
        if result.stopped != nil || !result.refused.isEmpty || result.damagedBytes > 0 || result.undecodable > 0 {
            throw ExitCode.failure
        }
    }

    private func send(_ resend: Resend, _ settings: BridgeSettings) async throws -> Resend.Result {
        try await StopFlag.raisedBySignals { stop in
            try reportingFaults {
                var bar = ProgressBar("sending", total: resend.bytes)
                defer { bar.finish() }
                return try resend.run(with: settings.producerConfiguration) {
                    stop.isRaised
                } progress: { bytes, confirmed in
                    bar.update(bytes, "\(confirmed) records confirmed")
                }
            }
        }
    }
}
