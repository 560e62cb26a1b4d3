internal import Logging
internal import ServiceLifecycle

/// Closes the journals when everything that uses them has ended: what waits is committed, the last checkpoint written.
struct JournalService: Service, CustomStringConvertible {
    let journals: JournalPair
    let logger: Logger

    var description: String { "JournalService" }

    func run() async throws {
        try? await gracefulShutdown()
        journals.close()
        logger.info("journal closed")
    }
}
