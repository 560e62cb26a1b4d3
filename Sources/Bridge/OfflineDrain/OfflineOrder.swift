internal import Locks
internal import Synchronization

/// A drain that a person ordered, and waits for. Any thread.
final class OfflineOrder: Sendable {
    /// How far taking back what others have left has come.
    struct Recovery: Sendable {
        /// Milliseconds since 1970.
        let since: Int64?
        var isListed = false
        var isRead = false
        /// Ids of rows that are marked as erroneous and were looked at.
        var seen: Set<String> = []
    }

    private struct State {
        var result = OfflineDrain.Result()
        var recovery: Recovery?
    }

    private let state: Guarded<State>
    private let ended: AsyncStream<Void>
    private let end: AsyncStream<Void>.Continuation

    init(since: Int64?) {
        state = Guarded(State(recovery: since.map { Recovery(since: $0) }))
        (ended, end) = AsyncStream.makeStream(of: Void.self)
    }

    var result: OfflineDrain.Result { state.withLock { $0.result } }
    var recovery: Recovery? { state.withLock { $0.recovery } }

    func add(_ tally: OfflineTally, _ recovery: Recovery?) {
        state.withLock { state in
            state.result.rows += tally.delivered
            state.result.deadLettered += tally.deadLettered
            state.result.recovered += tally.recovered
            if state.recovery != nil { state.recovery = recovery }
        }
    }

    func finish(isEmpty: Bool, _ error: PortalReport.Fault? = nil) {
        state.withLock { state in
            state.result.isEmpty = isEmpty
            state.result.error = error
        }
        end.finish()
    }

    /// Waits until it ended, or for so long.
    func wait(_ patience: Duration) async {
        await withTaskGroup { group in
            group.addTask { [ended] in
                for await _ in ended {}
            }
            group.addTask { try? await Task.sleep(for: patience) }
            await group.next()
            group.cancelAll()
        }
    }
}
