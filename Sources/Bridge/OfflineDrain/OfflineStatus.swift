internal import Synchronization

/// What the owner who drains the offline queues tells the rest of the process, a snapshot of a moment.
package struct OfflineStatus: Sendable, Equatable {
    /// That have a queue which is drained.
    package var portals = 0
    /// Rows that Kafka has confirmed since this replica owns the work.
    package var drained = 0
    /// Rows that lie reserved and are not cleared yet.
    package var held = 0
    /// Rows that could not be published, since this replica owns the work.
    package var deadLettered = 0
    /// The change time of the oldest row seen and not cleared, in milliseconds since 1970.
    package var oldestChangeAt: Int64?
    /// Why nothing is drained at present, for people. `nil`: it is.
    package var pause: String?

    package init() {}

    /// Age of the oldest change in seconds; `nil`: none waits. A portal's clock may be ahead.
    ///
    /// - Parameter now: Milliseconds since 1970.
    func lag(at now: Int64) -> Double? { oldestChangeAt.map { Double(max(0, now - $0)) / 1000 } }
}

extension OfflineDrain {
    var status: OfflineStatus {
        var status = ledger.sums
        (status.portals, status.pause) = state.withLock { ($0.schedule.memberIDs.count, $0.gate.reason) }
        return status
    }
}
