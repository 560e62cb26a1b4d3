internal import Locks
internal import Synchronization

/// How many bytes of dead letters may wait for Kafka: in all, and for each claimed member_id, so that forged calls can
/// crowd out neither genuine events nor another portal's dead letters.
package final class DeadLetterBudget: Sendable {
    private struct State {
        var total = 0
        var byPortal: [String: Int] = [:]
    }

    let maxBytes: Int
    let maxBytesOfPortal: Int
    private let state = Guarded(State())

    /// - Parameter journalBytes: the journal's quota, of which dead letters get one hundredth.
    package init(journalBytes: Int) {
        maxBytes = journalBytes / 100
        maxBytesOfPortal = max(maxBytes / 16, 4096)
    }

    /// Takes `bytes` for a dead letter, or says that there is no room for it.
    func take(_ bytes: Int, portal: String) -> Bool {
        state.withLock { state in
            let used = state.byPortal[portal, default: 0]
            guard state.total + bytes <= maxBytes, used + bytes <= maxBytesOfPortal else { return false }
            state.total += bytes
            state.byPortal[portal] = used + bytes
            return true
        }
    }

    /// Gives back what a delivered dead letter took. One of an earlier run took nothing, so the sums stop at zero.
    func release(_ bytes: Int, portal: String) {
        state.withLock { state in
            guard let used = state.byPortal[portal] else { return }
            let freed = min(bytes, used)
            state.total -= freed
            state.byPortal[portal] = used == freed ? nil : used - freed
        }
    }
}
