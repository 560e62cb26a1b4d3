internal import Locks
internal import Synchronization

/// Lets a line into the log at most once in an interval, whoever else wants to write it: what strangers can cause at will is
/// not to fill the log.
final class LogThrottle: Sendable {
    private let interval: Duration
    private let last = Guarded<ContinuousClock.Instant?>(nil)

    init(interval: Duration) { self.interval = interval }

    func isDue(at now: ContinuousClock.Instant = .now) -> Bool {
        last.withLock { last in
            if let last, now - last < interval { return false }
            last = now
            return true
        }
    }
}
