import Locks
import Synchronization

@testable import Bridge

/// Keeps what a replica hears, in place of a drain.
final class HeardWords: Sendable {
    private let all = Guarded<[OfflineWord]>([])

    /// In the order in which they came, each as often.
    var portals: [String] {
        all.withLock { words in
            words.compactMap { if case .portal(let memberID) = $0 { memberID } else { nil } }
        }
    }

    /// Why all queues were to be drained.
    var reasons: [String] {
        all.withLock { words in
            words.compactMap { if case .everyPortal(let reason) = $0 { reason } else { nil } }
        }
    }

    /// Listens while `body` runs.
    static func hearing<Value>(
        _ signals: OfflineSignals,
        _ body: (HeardWords) async throws -> Value
    ) async throws -> Value {
        let heard = HeardWords()
        let words = signals.listen()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for await word in words { heard.all.withLock { $0.append(word) } }
            }
            defer { signals.deafen() }
            return try await body(heard)
        }
    }
}
