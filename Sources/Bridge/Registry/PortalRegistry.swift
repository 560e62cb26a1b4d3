internal import Locks
internal import Synchronization

/// The portals that applications and people brought, as all replicas agree on them. Any thread may read.
package final class PortalRegistry: Sendable {
    /// When a change counts as done.
    package enum Durability: Sendable {
        /// Durable on this replica's disk; Kafka gets it as soon as it is there.
        case here
        /// Confirmed by Kafka: every replica will know it.
        case kafka
    }

    private struct State {
        var portals: [String: RegisteredPortal] = [:]
        var listeners: [Int: AsyncStream<String>.Continuation] = [:]
        var lastListener = 0
    }

    private let state = Guarded(State())

    package init() {}

    package func portal(_ memberID: String) -> RegisteredPortal? { state.withLock { $0.portals[memberID] } }

    package var memberIDs: [String] { state.withLock { Array($0.portals.keys) } }

    /// Changes one portal, or makes it. `body` may set or clear parts.
    ///
    /// - Throws: why it is not durable. Nothing has changed then.
    /// - Returns: the portal as it is now.
    @discardableResult
    package func change(
        _ memberID: String,
        until durability: Durability = .kafka,
        _ body: @Sendable (inout RegisteredPortal) -> Void
    ) async throws(RegistryError) -> RegisteredPortal {
        let (portal, listeners) = state.withLock { state in
            var portal = state.portals[memberID] ?? RegisteredPortal(memberID: memberID)
            body(&portal)
            state.portals[memberID] = portal
            return (portal, Array(state.listeners.values))
        }
        for listener in listeners { listener.yield(memberID) }
        return portal
    }

    /// Takes a portal out, for all replicas.
    package func remove(_ memberID: String) async throws(RegistryError) {
        state.withLock { _ = $0.portals.removeValue(forKey: memberID) }
    }

    /// The member_id of each portal that changes from now on, here or at another replica. What nobody reads in time is
    /// dropped, oldest first: look at all portals now and then.
    package func changes() -> AsyncStream<String> {
        let (stream, continuation) = AsyncStream.makeStream(of: String.self, bufferingPolicy: .bufferingNewest(10_000))
        let number = state.withLock { state in
            state.lastListener += 1
            state.listeners[state.lastListener] = continuation
            return state.lastListener
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { _ = $0.listeners.removeValue(forKey: number) }
        }
        return stream
    }
}

package struct RegistryError: Error, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
