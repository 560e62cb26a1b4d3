internal import Locks
internal import Synchronization

/// The rates of all portals. One that rests costs nothing.
final class PortalLimiter: Sendable {
    private struct State {
        var buckets: [String: LeakyBucket] = [:]
        var sweepAt = 64
    }

    private let perSecond: Double
    private let burst: Int
    private let clock: RESTClock
    private let state = Guarded(State())

    init(_ settings: RESTSettings) {
        perSecond = settings.perSecond
        burst = settings.burst
        clock = settings.clock
    }

    /// Buckets that are held.
    var count: Int { state.withLock { $0.buckets.count } }

    /// What `wait` would do now. Takes nothing of it.
    func budget(of portal: String) -> CallBudget {
        let now = clock.steady()
        let bucket = state.withLock { $0.buckets[portal] }
        return (bucket ?? LeakyBucket(perSecond: perSecond, burst: burst, now: now)).budget(at: now)
    }

    /// Waits for this call's turn at the portal, in the order of the callers.
    func wait(for portal: String) async throws(CancellationError) {
        let place = change(portal) { bucket, now in bucket.reserve(at: now) }
        while true {
            let wait = state.withLock { state in
                state.buckets[portal]?.wait(for: place, at: clock.steady()) ?? .zero
            }
            if wait <= .zero { return }
            do throws(CancellationError) {
                try await clock.sleep(wait)
            } catch {
                change(portal) { bucket, now in bucket.giveBack(place, at: now) }
                throw error
            }
        }
    }

    /// The portal said that there were too many calls.
    func pause(_ portal: String, for duration: Duration) {
        change(portal) { bucket, now in bucket.pause(until: now + duration, at: now) }
    }

    private func change<Result: Sendable>(
        _ portal: String,
        _ body: (inout LeakyBucket, Duration) -> Result
    ) -> Result {
        let now = clock.steady()
        return state.withLock { state in
            if state.buckets[portal] == nil, state.buckets.count >= state.sweepAt {
                state.buckets = state.buckets.filter { !$0.value.isIdle(at: now) }
                state.sweepAt = max(64, state.buckets.count * 2)
            }
            return body(
                &state.buckets[portal, default: LeakyBucket(perSecond: perSecond, burst: burst, now: now)],
                now
            )
        }
    }
}
