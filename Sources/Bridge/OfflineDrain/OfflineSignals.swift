internal import Locks
internal import Synchronization

/// Word that a portal's queue has something, on its way to the replica that drains. Any thread.
package final class OfflineSignals: Sendable {
    private struct State {
        var listener: AsyncStream<String>.Continuation?
        var relay: (@Sendable (String) -> Void)?
    }

    private let state = Guarded(State())

    package init() {}

    /// Somebody told this replica that the portal's queue has something. It goes to whoever listens here, and else to the
    /// replica that drains.
    package func signal(_ memberID: String) {
        let (listener, relay) = state.withLock { ($0.listener, $0.relay) }
        if let listener { listener.yield(memberID) } else { relay?(memberID) }
    }

    /// Another replica told it. It goes no further.
    func relayed(_ memberID: String) { state.withLock { $0.listener }?.yield(memberID) }

    /// How word gets to other replicas.
    func relay(by relay: @escaping @Sendable (String) -> Void) { state.withLock { $0.relay = relay } }

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
