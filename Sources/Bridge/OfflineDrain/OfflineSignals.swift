internal import Locks
internal import Synchronization

/// Word that a portal's queue has something, on its way to the replica that drains. Any thread.
package final class OfflineSignals: Sendable {
    private struct State {
        var listener: AsyncStream<String>.Continuation?
        var drainAll: (@Sendable (String) -> Void)?
        /// Why all are to be drained, from before anybody here took it.
        var missed: String?
        var relay: (@Sendable (OfflineWord) -> Void)?
    }

    private let state = Guarded(State())

    package init() {}

    /// Somebody told this replica that the portal's queue has something. It goes to whoever listens here, and else to the
    /// replica that drains.
    package func signal(_ memberID: String) {
        let (listener, relay) = state.withLock { ($0.listener, $0.relay) }
        if let listener { listener.yield(memberID) } else { relay?(.portal(memberID)) }
    }

    /// All queues may have something that nobody told of. It goes the same ways.
    func signalAll(because reason: String) {
        guard !drainAll(reason) else { return }
        state.withLock { $0.relay }?(.everyPortal(because: reason))
    }

    /// Another replica told it. It goes no further.
    func relayed(_ memberID: String) { state.withLock { $0.listener }?.yield(memberID) }

    /// Another replica told it of all queues.
    func relayedAll(because reason: String) { _ = drainAll(reason) }

    /// - Returns: whether somebody here drains. If not, whoever does so next here learns it: nobody may drain at all yet.
    private func drainAll(_ reason: String) -> Bool {
        let drain = state.withLock { state in
            if state.drainAll == nil { state.missed = reason }
            return state.drainAll
        }
        drain?(reason)
        return drain != nil
    }

    /// How word gets to other replicas.
    func relay(by relay: @escaping @Sendable (OfflineWord) -> Void) { state.withLock { $0.relay = relay } }

    /// Who drains all queues here from now on; `nil` when nobody does any more. Word that came before is told at once.
    func drainAll(by drain: (@Sendable (String) -> Void)?) {
        let missed = state.withLock { state -> String? in
            state.drainAll = drain
            guard drain != nil else { return nil }
            defer { state.missed = nil }
            return state.missed
        }
        if let missed { drain?(missed) }
    }

    /// What is signalled from now on, each as often as it is. Ends the stream of whoever listened before.
    func listen() -> AsyncStream<String> {
        let (stream, listener) = AsyncStream.makeStream(of: String.self)
        let old = state.withLock { state in
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
