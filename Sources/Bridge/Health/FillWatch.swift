internal import Journal
internal import Locks
internal import Logging
internal import ServiceLifecycle
internal import Synchronization

/// Both journals' fill, readable from any thread.
final class FillBox: Sendable {
    struct Growth: Sendable {
        var main: Double = 0
        var parked: Double = 0
    }

    private let state = Guarded(Growth())

    var growth: Growth { state.withLock { $0 } }

    func publish(_ new: Growth) { state.withLock { $0 = new } }
}

/// Looks at the journals once a second, and says in the log when one fills up: full is the one state in which events are
/// lost, so it is told long before.
struct FillWatch: Service, CustomStringConvertible {
    let snapshot: BridgeSnapshot
    let logger: Logger
    static let interval: Duration = .seconds(1)
    /// At a start with a journal that is full already, so many looks pass before it is told without knowing the cause.
    static let patience = 5

    var description: String { "FillWatch" }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var watched = Watched()
            repeat {
                look(&watched)
            } while (try? await Task.sleep(for: Self.interval)) != nil
        }
    }

    private struct Watched {
        var trends = (main: FillTrend(), parked: FillTrend())
        var alarms = (main: FillAlarm(), parked: FillAlarm())
        /// Looks that may still be waited.
        var patience = FillWatch.patience
    }

    private func look(_ watched: inout Watched) {
        let now = ContinuousClock.now
        let statistics = (main: snapshot.journal.statistics, parked: snapshot.parked.statistics)
        watched.trends.main.add(statistics.main.unconfirmedBytes, at: now)
        watched.trends.parked.add(statistics.parked.unconfirmedBytes, at: now)
        snapshot.fill.publish(
            FillBox.Growth(main: watched.trends.main.growth, parked: watched.trends.parked.growth)
        )
        let status = snapshot.shipper.current
        let main = snapshot.mainFill(statistics.main)
        let parked = snapshot.parkedFill(statistics.parked)
        if watched.patience > 0 {
            let isHigh = FillAlarm.isHigh(main.ratio) || FillAlarm.isHigh(parked.ratio)
            watched.patience = isHigh && !Self.knowsCause(status) ? watched.patience - 1 : 0
            if watched.patience > 0 { return }
        }
        if let change = watched.alarms.main.observe(main.ratio) {
            var metadata = Self.metadata(main)
            if status.isRunning {
                metadata["undelivered"] = "\(snapshot.waiting(status, statistics.main))"
                metadata["oldest"] = "\(snapshot.oldestAge(status).map { Words.duration(Int($0)) } ?? "none")"
            }
            say(change, "the journal", metadata, mend: Self.mend(status, parked))
        }
        if let change = watched.alarms.parked.observe(parked.ratio) {
            var metadata = Self.metadata(parked)
            if status.isRunning { metadata["undelivered"] = "\(status.parked)" }
            metadata["refusing"] = "\(status.refusingTopics.prefix(20).map(\.topic).joined(separator: " "))"
            say(
                change,
                "the parked journal",
                metadata,
                mend: "mend the topics that refuse their records, or raise journal.parkedMaxBytes"
            )
        }
    }

    /// Whether the shipper has read what was there at the start, and met what keeps it from delivering.
    private static func knowsCause(_ status: ShipperStatus) -> Bool {
        status.isRunning && status.waitingRead + status.parked > 0
            && (status.brokersUnreachable != nil || !status.refusingTopics.isEmpty)
    }

    private func say(_ change: FillAlarm.Change, _ journal: String, _ metadata: Logger.Metadata, mend: String) {
        switch change {
        case .passed(let level):
            logger.warning(
                "\(journal) has filled beyond \(level) %",
                metadata: metadata.merging(["mend": "\(mend)"]) { $1 }
            )
        case .fellBelow(let level):
            logger.notice("\(journal) is well below \(level) % again", metadata: metadata)
        }
    }

    private static func metadata(_ fill: JournalFill) -> Logger.Metadata {
        [
            "bytes": "\(fill.heldBytes)", "limit": "\(fill.limitBytes)",
            "fill": "\((fill.ratio * 1000).rounded() / 10) %",
            "timeLeft": "\(StatusPage.timeLeft(fill.secondsUntilFull))",
        ]
    }

    /// What to do about a journal that fills up, by the likeliest cause.
    static func mend(_ status: ShipperStatus, _ parked: JournalFill) -> String {
        if status.brokersUnreachable != nil { return "bring Kafka back, or raise journal.maxBytes" }
        guard !status.refusingTopics.isEmpty else {
            return "find out why Kafka takes records more slowly than they come, or raise journal.maxBytes"
        }
        let isParkingOver = parked.ratio * 100 >= Double(FillAlarm.levels.last ?? 100)
        return "mend the topics that refuse their records (see /status), or raise "
            + (isParkingOver ? "journal.parkedMaxBytes, as the parked journal is full" : "journal.maxBytes")
    }
}
