internal import Bitrix24REST
internal import Journal
internal import Logging
internal import NIOPosix
internal import ServiceLifecycle

/// What the receiver and the services share to take installations: there only when the bridge is an application.
final class Installations: Sendable {
    let inbox: InstallInbox
    let waitingRoom: WaitingRoom
    let outcomes: InstallOutcomes
    let hints = PortalHints()
    /// Portals for which an event has brought tokens a moment ago, so that not each event of many is verified.
    let renewals = PortalPace()
    let registry: PortalRegistry
    let keyring: Keyring
    let page: InstallPage
    private let settings: BridgeSettings
    private let threads: NIOThreadPool
    private let logger: Logger

    /// Starts a thread, which the first of `services` ends.
    ///
    /// `nil`: the bridge is no application, or has no registry to keep portals in.
    init?(
        _ settings: BridgeSettings,
        registry: PortalRegistry?,
        keyring: Keyring,
        fileSystem: any FileSystem,
        metrics: BridgeMetrics,
        logger: Logger
    ) {
        guard settings.application.isConfigured, let registry else { return nil }
        self.settings = settings
        self.registry = registry
        self.keyring = keyring
        self.logger = logger
        threads = NIOThreadPool(numberOfThreads: 1)
        threads.start()
        outcomes = InstallOutcomes(metrics: metrics, logger: logger)
        inbox = InstallInbox(
            settings.installsDirectory,
            keyring: keyring,
            fileSystem: fileSystem,
            threads: threads,
            outcomes: outcomes
        )
        waitingRoom = WaitingRoom(
            settings.waitingDirectory,
            maxBytes: BridgeSettings.waitingMaxBytes,
            fileSystem: fileSystem,
            threads: threads,
            outcomes: outcomes
        )
        page = InstallPage(standIn: settings.application.standIn)
    }

    /// In the order in which they start.
    func services(_ intake: IntakeContext) -> [any Service] {
        [
            ThreadService(installations: self),
            InstallVerification(
                inbox: inbox,
                rest: settings.restSettings,
                check: InstallCheck(settings.application),
                registry: registry,
                keyring: keyring,
                publication: InstallPublication(
                    settings: settings,
                    writer: JournalWriter(intake.journal),
                    parkingGate: intake.parkingGate
                ),
                outcomes: outcomes
            ),
            WaitingRelease(
                room: waitingRoom,
                inbox: inbox,
                outcomes: outcomes,
                registry: registry,
                intake: intake,
                writer: JournalWriter(intake.journal)
            ), HintService(hints: hints, registry: registry, logger: logger),
        ]
    }

    /// Ends the thread when everything that uses it has ended.
    private struct ThreadService: Service, CustomStringConvertible {
        let installations: Installations

        var description: String { "InstallationThread" }

        func run() async throws {
            try? await gracefulShutdown()
            try? await installations.threads.shutdownGracefully()
        }
    }
}
