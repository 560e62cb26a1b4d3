internal import Locks
internal import ServiceLifecycle
internal import Synchronization

/// Ends when a replay has nothing left to do.
final class ReplayWatch: Service, CustomStringConvertible {
    let timeout: Duration
    let statusBox: ShipperStatusBox
    let counter: DeliveryCounter
    let progress: @Sendable (_ delivered: Int, _ unreachable: String?) -> Void
    private let outcome = Guarded<(verdict: ReplayJudge.Verdict?, errors: [String: String])>((nil, [:]))

    init(
        timeout: Duration,
        statusBox: ShipperStatusBox,
        counter: DeliveryCounter,
        progress: @escaping @Sendable (_ delivered: Int, _ unreachable: String?) -> Void
    ) {
        self.timeout = timeout
        self.statusBox = statusBox
        self.counter = counter
        self.progress = progress
    }

    var description: String { "ReplayWatch" }

    /// What each refusing topic's brokers said last.
    var errors: [String: String] { outcome.withLock { $0.errors } }

    /// Why it ended though something is left; `nil` where each of that was refused.
    var reason: String? {
        switch outcome.withLock({ $0.verdict }) {
        case .delivered, .refused: nil
        case .stalled(let words): words
        case .none: "it was asked to stop"
        }
    }

    func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            var judge = ReplayJudge(timeout: timeout)
            while !Task.isCancelled {
                let status = statusBox.current
                progress(counter.total, status.brokersUnreachable)
                let verdict = judge.verdict(status, delivered: counter.total, now: .now)
                outcome.withLock { outcome in
                    for topic in status.refusingTopics where !topic.error.isEmpty {
                        outcome.errors[topic.topic] = topic.error
                    }
                    outcome.verdict = verdict
                }
                if verdict != nil { return }
                try? await Task.sleep(for: .milliseconds(50))
            }
        }
    }
}

/// Decides whether a replay goes on. Pure.
struct ReplayJudge {
    enum Verdict: Equatable {
        case delivered
        /// Everything left was tried, and refused.
        case refused
        case stalled(String)
    }

    let timeout: Duration
    /// A refusing topic may be about to take its records: it is tried a few times.
    private let patience: Duration
    private var lastMove: (mark: [Int], at: ContinuousClock.Instant)?

    init(timeout: Duration) {
        self.timeout = timeout
        patience = min(timeout, .seconds(10))
    }

    mutating func verdict(_ status: ShipperStatus, delivered: Int, now: ContinuousClock.Instant) -> Verdict? {
        guard status.isRunning else { return nil }
        let mark = [delivered, status.parked, status.waitingRead]
        if lastMove?.mark != mark { lastMove = (mark, now) }
        let still = lastMove.map { now - $0.at } ?? .zero
        if status.isAtRest, status.waitingRead == 0 {
            if status.parked == 0 { return .delivered }
            if still >= patience { return .refused }
        }
        guard still >= timeout else { return nil }
        let words = status.brokersUnreachable.map { "Kafka cannot be reached: \($0)" }
        return .stalled(words ?? "nothing was delivered for \(timeout.components.seconds) s")
    }
}
