/// When the owner of the REST work does what, in milliseconds. Tests have a pace of their own.
package struct WorkPace: Sendable {
    /// Between two comparisons of a portal's bindings with what is declared. 0: after an installation and a change only.
    package var reconcileEvery: Int64
    /// The share of that by which portals are spread, so that they do not all come at once.
    package var jitter = 0.25
    /// Age of a refresh token at which it is renewed: it lives 180 days, and 90 is a safe cadence. Renewing daily on a timer
    /// may get the application blocked. Source: b24restdocs, settings/oauth/auto-renewal.md
    package var keepAliveAge: Int64 = 90 * 86_400_000
    package var firstRetry: Int64 = 5000
    package var longestRetry: Int64 = 3_600_000
    /// From one `event.test` to the next while a portal's token is awaited; the last of these from then on.
    package var testIntervals: [Int64] = [10_000, 30_000, 120_000, 600_000, 3_600_000]
    /// How long an answer to an order is kept that nobody fetches.
    package var reportLife: Int64 = 600_000
    /// How often due times are looked at.
    package var tick: Duration = .seconds(1)
    /// How often all portals are looked at, because what tells of changes may drop some.
    package var scanEvery: Duration = .seconds(60)
    /// Portals that are worked on at the same time.
    package var width = 16
    /// Of them, at how many somebody waits for a queue to be emptied, each for up to `ownersPatience`.
    package var lengthyOrders = 8
    /// How often such an order looks for a place.
    package var placeRetry: Int64 = 500

    package init(reconcileEvery: Duration) {
        self.reconcileEvery = Int64(reconcileEvery / .milliseconds(1))
    }

    /// How long to wait after so many failures in a row.
    func retry(after failures: Int) -> Int64 {
        min(longestRetry, firstRetry << Int64(min(max(failures - 1, 0), 20)))
    }

    func nextTest(after tests: Int) -> Int64 {
        testIntervals.isEmpty ? longestRetry : testIntervals[min(max(tests - 1, 0), testIntervals.count - 1)]
    }

    /// When a portal is due to be compared again. The same for every replica, spread over the portals.
    func nextReconcile(of memberID: String, after last: Int64) -> Int64? {
        guard reconcileEvery > 0 else { return nil }
        return Self.next(every: reconcileEvery, jitter: jitter, of: memberID, after: last)
    }

    /// `every` after `last` or sooner, by up to the share `jitter` of it: the same each time, and another for each portal.
    static func next(every: Int64, jitter: Double, of memberID: String, after last: Int64) -> Int64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in "\(memberID) \(last)".utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        let share = Double(hash >> 11) / Double(1 << 53)
        return last + every - Int64(Double(every) * jitter * share)
    }
}
