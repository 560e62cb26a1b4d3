internal import Locks
internal import Synchronization

/// Work that is done once for all who want it at the same time.
final class SharedFlight<Value: Sendable>: Sendable {
    private enum Outcome: Sendable {
        case done(Result<Value, RESTError>)
        /// Who did it gave up: somebody else must.
        case abandoned
    }

    private struct State {
        /// Of each key that is worked on: who waits.
        var waiters: [String: [UInt64: CheckedContinuation<Outcome, Never>]] = [:]
        var last: UInt64 = 0
    }

    private let state = Guarded(State())

    /// Those who wait for somebody else's work.
    var count: Int { state.withLock { $0.waiters.values.reduce(0) { $0 + $1.count } } }

    /// Runs `work`, or waits for who already runs it. A failure is everybody's, but for a cancellation: then the next does the
    /// work.
    func run(
        _ key: String,
        cancelled: RESTError,
        _ work: () async throws(RESTError) -> Value
    ) async throws(RESTError) -> Value {
        while true {
            if Task.isCancelled { throw cancelled }
            let isFirst = state.withLock { state in
                if state.waiters[key] != nil { return false }
                state.waiters[key] = [:]
                return true
            }
            guard isFirst else {
                switch await outcome(key) {
                case .done(let result): return try result.get()
                case .abandoned: continue
                }
            }
            do {
                let value = try await work()
                finish(key, .done(.success(value)))
                return value
            } catch {
                finish(key, error.code == .cancelled ? .abandoned : .done(.failure(error)))
                throw error
            }
        }
    }

    private func finish(_ key: String, _ outcome: Outcome) {
        let waiters = state.withLock { $0.waiters.removeValue(forKey: key) ?? [:] }
        for waiter in waiters.values { waiter.resume(returning: outcome) }
    }

    /// - Returns: `abandoned` too when this task is cancelled, or when nobody does the work any more.
    private func outcome(_ key: String) async -> Outcome {
        let number = state.withLock { state in
            state.last += 1
            return state.last
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isWaiting = state.withLock { state in
                    // The handler below may have run already.
                    guard !Task.isCancelled, state.waiters[key] != nil else { return false }
                    state.waiters[key]?[number] = continuation
                    return true
                }
                if !isWaiting { continuation.resume(returning: .abandoned) }
            }
        } onCancel: {
            let waiter = state.withLock { $0.waiters[key]?.removeValue(forKey: number) }
            waiter?.resume(returning: .abandoned)
        }
    }
}
