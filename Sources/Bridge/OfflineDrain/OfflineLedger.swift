internal import Locks
internal import Synchronization

/// What the portals' queues look like to the owner. Any thread.
final class OfflineLedger: Sendable {
    private let standings = Guarded<[String: OfflineDrain.Standing]>([:])

    /// Called by the portal's turn, and so by one thread at a time for each portal.
    func change(_ memberID: String, _ body: (inout OfflineDrain.Standing) -> Void) {
        var standing = self[memberID] ?? OfflineDrain.Standing()
        body(&standing)
        let changed = standing
        standings.withLock { $0[memberID] = changed }
    }

    func forget(_ memberID: String) { standings.withLock { $0[memberID] = nil } }

    subscript(memberID: String) -> OfflineDrain.Standing? { standings.withLock { $0[memberID] } }

    var memberIDs: [String] { standings.withLock { Array($0.keys) } }

    /// What they come to together.
    var sums: OfflineStatus {
        standings.withLock { standings in
            standings.values.reduce(into: OfflineStatus()) { sums, standing in
                sums.drained += standing.drained
                sums.held += standing.held
                sums.deadLettered += standing.deadLettered
                sums.oldestChangeAt = [sums.oldestChangeAt, standing.oldestChangeAt].compactMap { $0 }.min()
            }
        }
    }
}
