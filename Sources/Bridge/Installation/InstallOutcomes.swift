internal import CoreMetrics
internal import DequeModule
internal import Journal
internal import Locks
internal import Logging
internal import Synchronization

/// What became of calls about installations: counted, logged, and kept for a while for those who ask.
final class InstallOutcomes: Sendable {
    private struct State {
        var recent: [String: InstallRefusal] = [:]
        var order: Deque<String> = []
        /// Of what is told in the log, by topic.
        var throttles: [String: LogThrottle] = [:]
        var lines = TokenBucket(perSecond: 1, burst: 20)
        var untold = 0
    }

    /// So many refusals are remembered, so that the page of a refused installation can say why.
    private static let remembered = 1000
    /// What a sender can cause any number of is told once in this time.
    private static let interval: Duration = .seconds(60)

    private let metrics: BridgeMetrics
    private let logger: Logger
    private let state = Guarded(State())

    init(metrics: BridgeMetrics, logger: Logger) {
        self.metrics = metrics
        self.logger = logger
    }

    /// Why a call that had been taken was refused. `nil`: it was not, or long ago, or by another replica.
    func refusal(of id: String) -> InstallRefusal? { state.withLock { $0.recent[id] } }

    func verified(_ call: UnverifiedCall, domain: String) {
        metrics.installsVerified[call.kind.rawValue]?.increment()
        guard call.kind != .test else { return }
        logger.notice(
            "an installation was verified",
            metadata: ["portal": "\(call.memberID)", "domain": "\(domain)", "kind": "\(call.kind.rawValue)"]
        )
    }

    /// Not taken: the sender was told so. Said once in a minute for each reason.
    func notTaken(_ refusal: InstallRefusal) {
        metrics.installsRefused[refusal.rawValue]?.increment()
        guard isDue(refusal.rawValue) else { return }
        logger.error(
            "an installation was not taken, and is lost if it was genuine",
            metadata: ["reason": "\(refusal.rawValue)", "mend": "\(refusal.words)"]
        )
    }

    /// Taken, and not to be believed, or not to be verified.
    ///
    /// - Parameter memberID: `nil`: nobody can tell.
    func refused(_ refusal: InstallRefusal, id: String, memberID: String? = nil, error: String? = nil) {
        metrics.installsRefused[refusal.rawValue]?.increment()
        let untold: Int? = state.withLock { state in
            if state.recent.updateValue(refusal, forKey: id) == nil { state.order.append(id) }
            if state.order.count > Self.remembered { state.recent[state.order.removeFirst()] = nil }
            // A flood of forged calls is to fill no log.
            guard state.lines.take() else {
                state.untold += 1
                return nil
            }
            defer { state.untold = 0 }
            return state.untold
        }
        guard let untold else { return }
        var metadata: Logger.Metadata = ["reason": "\(refusal.rawValue)", "mend": "\(refusal.words)"]
        metadata["portal"] = memberID.map { "\($0)" }
        metadata["error"] = error.map { "\($0)" }
        if untold > 0 { metadata["refusedMeanwhile"] = "\(untold)" }
        logger.warning("an installation was refused", metadata: metadata)
    }

    /// The authorization server or Kafka is in the way of this one; it is tried again.
    func postponed(_ call: UnverifiedCall, error: String) {
        guard isDue("postponed") else { return }
        logger.warning(
            "an installation cannot be verified yet; trying again for a day",
            metadata: ["portal": "\(call.memberID)", "error": "\(error)"]
        )
    }

    func diskFailed(_ error: FileSystemError) {
        guard isDue("disk \(error.path)") else { return }
        logger.error(
            "the disk fails the installations",
            metadata: ["operation": "\(error.operation)", "path": "\(error.path)", "errno": "\(error.code)"]
        )
    }

    func keyIsMissing(_ key: String) {
        guard isDue("key \(key)") else { return }
        logger.error(
            "installations wait that were sealed under a key that is not configured; add it to secrets.previousKeys and restart",
            metadata: ["keyId": "\(key)"]
        )
    }

    func waitingFileIsDamaged(_ name: String, records: Int) {
        metrics.lost(.diskFailure, events: records)
        logger.error(
            "events that waited for their portal's application token are lost: their file is damaged; it was set aside",
            metadata: ["file": "\(name)", "events": "\(records)"]
        )
    }

    private func isDue(_ topic: String) -> Bool {
        let throttle = state.withLock { state in
            // Topics come from a few kinds and from paths; should there be many all the same, forgetting them costs lines only.
            if state.throttles.count > 100 { state.throttles = [:] }
            if state.throttles[topic] == nil { state.throttles[topic] = LogThrottle(interval: Self.interval) }
            return state.throttles[topic]
        }
        return throttle?.isDue() ?? true
    }
}
