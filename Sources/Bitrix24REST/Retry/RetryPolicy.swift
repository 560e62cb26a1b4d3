/// How often and how patiently a call is repeated. Source: b24restdocs, limits.md.
package struct RetryPolicy: Sendable {
    /// Repetitions after QUERY_LIMIT_EXCEEDED.
    package var throttledAttempts = 8
    /// Repetitions after a server's or the network's failure, at a portal.
    package var passingAttempts = 4
    /// The same at an authorization server.
    package var authorizationAttempts = 3

    package var throttled = Backoff(first: .seconds(1), cap: .seconds(60), least: 0)
    package var passing = Backoff(first: .seconds(1), cap: .seconds(300), least: 0.5)
    package var authorization = Backoff(first: .seconds(5), cap: .seconds(900), least: 0.5)

    package init() {}
}

/// Waits that double.
package struct Backoff: Sendable {
    package var first: Duration
    package var cap: Duration
    /// The shortest wait as a part of the full one: 0 is full jitter, 1 none.
    package var least: Double

    package init(first: Duration, cap: Duration, least: Double) {
        self.first = first
        self.cap = cap
        self.least = least
    }

    /// - Parameters:
    ///   - attempt: 0 for the wait after the first failure.
    ///   - random: from 0 to below 1.
    package func delay(_ attempt: Int, random: Double) -> Duration {
        // Beyond 2^30 of anything stands the cap.
        let full = min(first * (1 << min(max(attempt, 0), 30)), cap)
        return full * (least + (1 - least) * random)
    }
}
