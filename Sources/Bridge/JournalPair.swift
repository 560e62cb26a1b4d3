internal import Journal

/// The two journals of one bridge, open: what waits for Kafka, and what is parked.
struct JournalPair: Sendable {
    let main: Journal
    let parked: Journal

    /// - Throws: `JournalError`, which names the mend; neither is open then.
    init(
        _ settings: BridgeSettings,
        fileSystem: any FileSystem = POSIXFileSystem(),
        mainObserver: JournalObserver,
        parkedObserver: JournalObserver
    ) throws(JournalError) {
        main = try Journal.open(settings.journalConfiguration, fileSystem: fileSystem, observer: mainObserver)
        do throws(JournalError) {
            parked = try Journal.open(settings.parkedConfiguration, fileSystem: fileSystem, observer: parkedObserver)
        } catch {
            main.close()
            throw error
        }
    }

    /// Blocks until what waits is committed. A second call does nothing.
    func close() {
        main.close()
        parked.close()
    }
}
