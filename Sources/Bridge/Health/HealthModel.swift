internal import Journal
internal import Locks
internal import Synchronization

/// Whether this replica can take events. Kafka has no part in it, as what is on disk waits; unless the portals are in Kafka
/// only, and this replica has not read them yet.
package final class HealthModel: Sendable {
    private let draining = Atomic<Bool>(false)
    private let accepting = Atomic<Bool>(false)
    private let journalFault = Guarded<String?>(nil)
    private let registryObstacle = Guarded<String?>(nil)

    package init() {}

    /// The event listener is bound.
    func beginAccepting() { accepting.store(true, ordering: .relaxed) }

    /// Shutdown has begun: readiness goes, accepting goes on for a while.
    package func beginDraining() { draining.store(true, ordering: .relaxed) }

    package var isDraining: Bool { draining.load(ordering: .relaxed) }

    func journalChanged(to state: JournalState) {
        let fault: String? =
            switch state {
            case .accepting: nil
            case .full:
                "the journal is full: Kafka has not confirmed enough for too long, or journal.maxBytes is too small"
            case .failing(let error): "\(error)"
            case .closed: "the journal is closed"
            }
        journalFault.withLock { $0 = fault }
    }

    /// `nil`: the portals of the registry are known, or there is no registry.
    func registryChanged(obstacle: String?) { registryObstacle.withLock { $0 = obstacle } }

    /// Why no event can be taken; empty when ready.
    package var obstacles: [String] {
        var obstacles: [String] = []
        if !accepting.load(ordering: .relaxed) { obstacles.append("starting: the event listener is not bound yet") }
        if isDraining { obstacles.append("shutting down") }
        if let fault = journalFault.withLock({ $0 }) { obstacles.append(fault) }
        if let obstacle = registryObstacle.withLock({ $0 }) { obstacles.append(obstacle) }
        return obstacles
    }
}
