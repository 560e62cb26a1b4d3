/// When and how much the owner drains; times in milliseconds. Tests have a pace of their own.
package struct OfflinePace: Sendable {
    /// Between two looks at a portal of which nothing is heard. `nil`: only what is heard counts.
    package var pollEvery: Int64?
    /// Between two looks for what somebody has reserved and forgotten.
    package var recoverEvery: Int64 = 3_600_000
    /// The share of `pollEvery` and of `recoverEvery` by which portals are spread, so that they do not all come at once.
    package var jitter = 0.25
    /// Portals that are drained at the same time.
    package var width = 32
    /// Reservations in one turn, and of each queue of a portal at least one.
    package var rounds = 5
    /// Rows that are asked for at once.
    package var batchRows: Int
    /// Bytes of records, by which rows go to Kafka.
    package var chunkBytes = 1 << 20
    /// Pages of 50 rows that one turn looks through for forgotten reservations.
    package var listPages = 20
    /// Rows of a portal that stay reserved because their topic refuses them; then no more are reserved.
    package var mostHeldRows = 2000
    /// Calls that a portal takes at once.
    package var burst: Int
    /// Of them left to other work.
    package var spareCalls = 3
    /// Calls a second that a portal takes in the long run.
    package var callsPerSecond: Double
    /// A portal that is heard of comes before those that have been due for less.
    package var signalLead: Int64 = 30_000
    /// What a person orders comes before those that have been due for less.
    package var orderLead: Int64 = 3_600_000
    package var firstRetry: Int64 = 5000
    /// The same where an answer got lost, the first time: what it held lies reserved.
    package var retryOfLost: Int64 = 1000
    package var longestRetry: Int64 = 3_600_000
    /// Between two tries of rows that are held because their topic refuses them, after many.
    package var longestHold: Int64 = 300_000
    /// Where Bitrix24 refuses until somebody changes something.
    package var deniedRetry: Int64 = 86_400_000
    /// A queue of so many rows or more that was emptied is worth a line in the log.
    package var toldRows = 1000
    /// How often due times are looked at.
    package var tick: Duration = .milliseconds(500)
    /// How often all portals are looked at, because what tells of changes may drop some.
    package var scanEvery: Duration = .seconds(60)

    package init(_ settings: BridgeSettings) {
        let offline = settings.offline
        pollEvery = offline.wakeBy.contains(.timer) ? Int64(offline.pollEvery / .milliseconds(1)) : nil
        batchRows = offline.batchRows
        burst = settings.application.callBurst
        callsPerSecond = Double(settings.application.callsPerSecond)
    }

    /// How long to wait after so many failures in a row.
    func retry(after failures: Int, longest: Int64? = nil) -> Int64 {
        min(longest ?? longestRetry, firstRetry << Int64(min(max(failures - 1, 0), 20)))
    }

    /// `calls` and what is left to others, as far as a portal ever has so many.
    func needed(_ calls: Int) -> Int { min(calls + min(spareCalls, burst / 4), max(burst, 1)) }

    /// Of a turn: to reserve, to clear.
    var neededForTurn: Int { needed(2) }

    /// How long until a portal has enough for a turn.
    func wait(for budget: (calls: Int, untilNext: Duration)) -> Int64 {
        let missing = neededForTurn - budget.calls
        guard missing > 0 else { return 0 }
        // Where there is one already, the budget does not tell how long the next takes: no longer than any other.
        let others = Double(budget.calls > 0 ? missing : missing - 1) / max(callsPerSecond, 0.01)
        return Int64((budget.untilNext / .milliseconds(1) + others * 1000).rounded(.up))
    }

    func nextLook(of memberID: String, after last: Int64) -> Int64? {
        pollEvery.map { WorkPace.next(every: $0, jitter: jitter, of: memberID, after: last) }
    }

    func nextRecovery(of memberID: String, after last: Int64) -> Int64 {
        WorkPace.next(every: min(recoverEvery, pollEvery ?? .max), jitter: jitter, of: memberID, after: last)
    }
}
