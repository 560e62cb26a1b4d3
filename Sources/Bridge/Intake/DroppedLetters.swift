internal import CoreMetrics
internal import Logging

/// Counts dead letters that are not kept, and says so in the log when it begins, at most once a minute: a flood of forged
/// calls is to fill neither the journal nor the log.
final class DroppedLetters: Sendable {
    enum Reason: String {
        case overBudget = "over-budget"
        case tooLarge = "too-large"
        case tooManySecrets = "too-many-secrets"
        case journal

        var mend: String {
            switch self {
            case .overBudget:
                "bring Kafka back if it is away; add the portal if it is yours; else find out who sends these calls "
                    + "(http.allowedNetworks), or raise journal.maxBytes, of which dead letters get 1 %"
            case .tooLarge: "raise kafka.maxRecordBytes"
            case .tooManySecrets: "look who sends such bodies (http.allowedNetworks)"
            case .journal: "make room on the journal's disk or bring Kafka back"
            }
        }
    }

    private let counter: Counter
    private let budget: DeadLetterBudget
    private let logger: Logger
    private let throttle = LogThrottle(interval: .seconds(60))

    init(counter: Counter, budget: DeadLetterBudget, logger: Logger) {
        self.counter = counter
        self.budget = budget
        self.logger = logger
    }

    func add(_ reason: Reason, at now: ContinuousClock.Instant = .now) {
        counter.increment()
        guard throttle.isDue(at: now) else { return }
        logger.warning(
            "dead letters are dropped: from now on some are counted and not kept",
            metadata: [
                "reason": "\(reason.rawValue)", "budgetBytes": "\(budget.maxBytes)",
                "budgetBytesOfPortal": "\(budget.maxBytesOfPortal)", "mend": "\(reason.mend)",
            ]
        )
    }
}
