internal import Locks
internal import Synchronization

/// The operating limits of all portals, and the wait for them.
final class OperatingTurns: Sendable {
    private let limits = Guarded(OperatingLimits())
    private let clock: RESTClock

    init(_ clock: RESTClock) { self.clock = clock }

    /// Waits until none of the methods is refused any more, or until it is this call that tries whether one is.
    func wait(_ portal: String, _ methods: Set<String>) async throws(CancellationError) {
        do throws(CancellationError) {
            for method in methods {
                let key = OperatingLimits.Key(portal: portal, method: method)
                while case .wait(let time) = limits.withLock({ $0.turn(of: key, at: clock.steady()) }) {
                    try await clock.sleep(time)
                }
            }
        } catch {
            unanswered(portal, methods)
            throw error
        }
    }

    /// The same without waiting.
    ///
    /// - Returns: how long one of the methods is refused still; `nil`: the call may go.
    func begin(_ portal: String, _ methods: Set<String>) -> Duration? {
        let now = clock.steady()
        return limits.withLock { limits in
            var begun: [OperatingLimits.Key] = []
            for method in methods {
                let key = OperatingLimits.Key(portal: portal, method: method)
                if case .wait(let time) = limits.turn(of: key, at: now) {
                    for key in begun { limits.unanswered(key) }
                    return time
                }
                begun.append(key)
            }
            return nil
        }
    }

    /// - Parameter reset: as the answer says, from now.
    func answered(_ portal: String, _ method: String, reset: Duration?) {
        let now = clock.steady()
        limits.withLock { $0.passed(OperatingLimits.Key(portal: portal, method: method), reset: reset, at: now) }
    }

    func failed(_ portal: String, _ methods: Set<String>, _ error: RESTError) {
        if error.status == 0 { return unanswered(portal, methods) }
        let now = clock.steady()
        limits.withLock { limits in
            for method in methods {
                let key = OperatingLimits.Key(portal: portal, method: method)
                if error.code == .operationTimeLimit {
                    limits.exceeded(key, reset: error.retryAfter, at: now)
                } else {
                    limits.passed(key, reset: nil, at: now)
                }
            }
        }
    }

    func unanswered(_ portal: String, _ methods: Set<String>) {
        limits.withLock { limits in
            for method in methods { limits.unanswered(OperatingLimits.Key(portal: portal, method: method)) }
        }
    }
}
