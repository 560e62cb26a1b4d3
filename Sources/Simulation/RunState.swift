import Locks
import Synchronization

/// What the connections, the reader and the one who waits for them share during a run.
final class RunState: Sendable {
    struct Figures: Sendable {
        var ledger = Ledger()
        /// Of events that were answered, with whatever status, from when they were due.
        var answerTimes = LatencyHistogram()
        /// When the first event was posted after the last answer.
        var waitingSince: ContinuousClock.Instant?
        /// Why the last unanswered event has no answer.
        var lastFailure: String?
    }

    let figures = Guarded(Figures())
    private let sendingEnded = Atomic<Bool>(false)
    private let waitingEnded = Atomic<Bool>(false)

    /// Set once: no further event is posted.
    var isSendingEnded: Bool { sendingEnded.load(ordering: .relaxed) }
    /// Set once: nothing more is waited for.
    var isWaitingEnded: Bool { waitingEnded.load(ordering: .relaxed) }

    func endSending() { sendingEnded.store(true, ordering: .relaxed) }
    func endWaiting() { waitingEnded.store(true, ordering: .relaxed) }

    /// Sleeps in short steps, so that an end of sending is noticed.
    func sleepWhileSending(until end: ContinuousClock.Instant) async {
        while !isSendingEnded {
            let rest = end - .now
            guard rest > .zero else { return }
            try? await Task.sleep(for: min(rest, .milliseconds(100)), tolerance: .zero)
        }
    }
}
