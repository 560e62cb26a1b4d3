internal import Foundation

/// The time as the client sees it.
package struct RESTClock: Sendable {
    /// Seconds since 1970.
    package var wall: @Sendable () -> Int64
    /// From any beginning; never jumps.
    package var steady: @Sendable () -> Duration
    package var sleep: @Sendable (Duration) async throws(CancellationError) -> Void
    /// From 0 to below 1.
    package var random: @Sendable () -> Double

    package init(
        wall: @escaping @Sendable () -> Int64,
        steady: @escaping @Sendable () -> Duration,
        sleep: @escaping @Sendable (Duration) async throws(CancellationError) -> Void,
        random: @escaping @Sendable () -> Double
    ) {
        self.wall = wall
        self.steady = steady
        self.sleep = sleep
        self.random = random
    }

    private static let beginning = ContinuousClock.now

    package static let system = RESTClock(
        wall: { Int64(Date().timeIntervalSince1970) },
        steady: { ContinuousClock.now - beginning },
        sleep: { duration throws(CancellationError) in
            do { try await Task.sleep(for: duration) } catch { throw CancellationError() }
        },
        random: { Double.random(in: 0..<1) }
    )
}
