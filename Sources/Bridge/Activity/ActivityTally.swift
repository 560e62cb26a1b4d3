internal import Locks
internal import Synchronization

/// What one event loop has counted since it was last asked.
///
/// The lock is the loop's own: once a second, for the time of an exchange, somebody else takes it. So counting costs a look-up in
/// a table and no memory that stays.
final class ActivityTally: Sendable {
    struct Count: Sendable {
        var events: Int
        /// Milliseconds since 1970.
        var lastAt: Int64
    }

    private let counts = Guarded<[String: Count]>([:])

    func heard(_ memberID: String, _ events: Int = 1, at moment: Int64) {
        counts.withLock { counts in
            counts[memberID, default: Count(events: 0, lastAt: moment)].add(events, at: moment)
        }
    }

    /// - Parameter spare: Counting goes on in it: empty, and with room for as many portals as there were last time.
    func take(leaving spare: sending [String: Count]) -> [String: Count] {
        counts.withLock { counts in
            let taken = counts
            counts = spare
            return taken
        }
    }
}

extension ActivityTally.Count {
    fileprivate mutating func add(_ events: Int, at moment: Int64) {
        self.events += events
        lastAt = max(lastAt, moment)
    }
}
