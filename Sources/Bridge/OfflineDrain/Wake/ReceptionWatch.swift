internal import Bitrix24
internal import Foundation
internal import Journal
internal import Logging
internal import ServiceLifecycle

/// Notices when events come again after a time without any, and has all queues of offline events drained then, at whichever
/// replica drains.
///
/// It looks once a second whether the journal was appended to, so that receiving costs nothing more.
struct ReceptionWatch: Service, CustomStringConvertible {
    let settings: BridgeSettings
    let journal: Journal
    let signals: OfflineSignals
    let metrics: OfflineMetrics
    let logger: Logger

    var description: String { "ReceptionWatch" }

    func run() async throws {
        let file = ReceptionFile(directory: settings.journal.directory)
        let earlier = [
            file.read(), journal.statistics.recovery.lastWrittenAt.map { Timestamp(milliseconds: Int64(clamping: $0)) },
        ]
        let rhythm = ReceptionRhythm(after: earlier.compactMap(\.self).max())
        await cancelWhenGracefulShutdown {
            var watched = Watched(rhythm: rhythm)
            repeat { look(&watched) } while (try? await Task.sleep(for: .seconds(1))) != nil
            // The listener has stopped.
            look(&watched)
            if let last = watched.last { file.write(last) }
        }
    }

    private struct Watched {
        var rhythm: ReceptionRhythm
        /// Records of this run.
        var appended = 0
        /// Of this run.
        var last: Timestamp?
    }

    private func look(_ watched: inout Watched) {
        let appended = journal.statistics.recordsAppended
        guard appended != watched.appended else { return }
        watched.appended = appended
        let now = WallClock.now()
        watched.last = now
        if let gap = watched.rhythm.received(at: now) { tell(gap) }
    }

    private func tell(_ gap: ReceptionGap) {
        metrics.found(gap)
        logger.notice(
            "no event reached this replica for unusually long; queues of offline events are drained first",
            metadata: [
                "from": "\(gap.from.rfc3339)", "until": "\(gap.until.rfc3339)", "seconds": "\(Int(gap.seconds))",
            ]
        )
        signals.signalAll(
            because: "no event reached replica \(settings.replica) from \(gap.from.rfc3339) until \(gap.until.rfc3339)"
        )
    }
}

/// When the last event came, for the next start: where all is delivered no segment is left to tell. After a crash there is.
struct ReceptionFile {
    let path: String

    init(directory: String) { path = "\(directory)/reception" }

    /// `nil`: there is none, or none that can be used.
    func read() -> Timestamp? {
        guard let data = FileManager.default.contents(atPath: path),
            let milliseconds = Int64(String(decoding: data.prefix(20), as: UTF8.self)), milliseconds > 0
        else { return nil }
        return Timestamp(milliseconds: milliseconds)
    }

    /// If it fails, the next start knows less.
    func write(_ time: Timestamp) {
        try? Data("\(time.milliseconds)".utf8).write(to: URL(filePath: path), options: .atomic)
    }
}
