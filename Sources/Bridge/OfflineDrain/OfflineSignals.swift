internal import Locks
internal import Synchronization

/// Word that queues have something, on its way to the replica that drains. Any thread.
package final class OfflineSignals: Sendable {
    private struct State {
        var listener: AsyncStream<OfflineWord>.Continuation?
        /// Why all are to be drained, from before anybody here took it.
        var missed: String?
        var relay: (@Sendable (OfflineWord) -> Void)?
    }

    private let state = Guarded(State())

    package init() {}

    /// Somebody told this replica that the portal's queue has something. It goes to whoever listens here, and else to the
    /// replica that drains.
    package func signal(_ memberID: String) { send(.portal(memberID)) }

    /// All queues may have something that nobody told of. It goes the same ways, and is kept for whoever listens here next:
    /// nobody may drain at all yet.
    func signalAll(because reason: String) { send(.everyPortal(because: reason)) }

    /// Another replica told it. It goes no further.
    func relayed(_ word: OfflineWord) { _ = tell(word) }

    private func send(_ word: OfflineWord) {
        guard !tell(word) else { return }
        state.withLock { $0.relay }?(word)
    }

    /// - Returns: whether somebody here listens.
    private func tell(_ word: OfflineWord) -> Bool {
        let listener = state.withLock { state in
            if state.listener == nil, case .everyPortal(let reason) = word { state.missed = reason }
            return state.listener
        }
        listener?.yield(word)
        return listener != nil
    }

    /// How word gets to other replicas.
    func relay(by relay: @escaping @Sendable (OfflineWord) -> Void) { state.withLock { $0.relay = relay } }

    /// What is signalled from now on, each as often as it is, and before it the last reason to drain all queues that came while
    /// nobody listened. Ends the stream of whoever listened before.
    func listen() -> AsyncStream<OfflineWord> {
        let (stream, listener) = AsyncStream.makeStream(of: OfflineWord.self)
        let old = state.withLock { state in
            if let reason = state.missed { listener.yield(.everyPortal(because: reason)) }
            state.missed = nil
            defer { state.listener = listener }
            return state.listener
        }
        old?.finish()
        return stream
    }

    /// Nobody here drains any more.
    func deafen() {
        let old = state.withLock { state in
            defer { state.listener = nil }
            return state.listener
        }
        old?.finish()
    }
}
