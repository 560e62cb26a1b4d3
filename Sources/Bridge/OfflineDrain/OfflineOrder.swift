internal import Locks
internal import Synchronization

/// A drain that a person ordered, and waits for. Any thread.
final class OfflineOrder: Sendable {
    /// How far taking back what others have left has come.
    struct Recovery: Sendable {
        /// Milliseconds since 1970.
        let since: Int64
        /// What was forgotten is taken over.
        var isListed = false
        /// What is marked as erroneous was read.
        var isRead = false
        /// Of each queue, by its source key, the ID of the last row that is marked as erroneous and was read.
        var readUpTo: [String: String] = [:]

        var isDone: Bool { isListed && isRead }

        /// What is to be done next for all of them: the farthest back that is not done yet.
        static func next(of recoveries: [Recovery]) -> Recovery? {
            recoveries.filter { !$0.isDone }.min { $0.since < $1.since }
        }

        /// What was done for another is done for this one, if it went as far back.
        mutating func take(_ other: Recovery) {
            guard other.since <= since else { return }
            isListed = isListed || other.isListed
            isRead = isRead || other.isRead
            readUpTo = other.readUpTo
        }
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
            if let recovery { state.recovery?.take(recovery) }
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
