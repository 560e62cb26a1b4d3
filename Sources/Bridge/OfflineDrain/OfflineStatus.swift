internal import Locks
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
}

/// The latest snapshot, readable from any thread; nothing where nobody drains.
package final class OfflineStatusBox: Sendable {
    private let status = Guarded<OfflineStatus?>(nil)

    package init() {}

    package var current: OfflineStatus? { status.withLock { $0 } }

    /// - Parameter new: `nil`: this replica does not drain any more.
    func publish(_ new: OfflineStatus?) { status.withLock { $0 = new } }
}
