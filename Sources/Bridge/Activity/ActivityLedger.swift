internal import Bitrix24
internal import Locks
internal import Synchronization

/// What all portals did lately. Whoever takes events counts in a tally of its own; once a second `ActivityWatch` gathers them
/// here, where status and metrics look. Any thread.
final class ActivityLedger: Sendable {
    struct State: Sendable {
        var portals: [String: PortalActivity] = [:]
        var rate = EventRate()
        /// Milliseconds since 1970. `nil`: nothing was gathered yet.
        var gatheredAt: Int64?
        /// Something was heard that is not in the file.
        var isChanged = false
    }

    private let state = Guarded(State())
    private let tallies = Guarded<[(tally: ActivityTally, portals: Int)]>([])
    /// Of those who count now and then.
    private let others: ActivityTally

    /// Milliseconds by which the wall clock has to leave the other one. What is gathered late or early is within it, and so is
    /// what no silence is measured by.
    private static let leastJump: Int64 = 60_000

    init() {
        others = ActivityTally()
        tallies.withLock { $0 = [(others, 0)] }
    }

    /// For an event loop. Kept for good.
    func makeTally() -> ActivityTally {
        let tally = ActivityTally()
        tallies.withLock { $0.append((tally, 0)) }
        return tally
    }

    /// Off the path of an event that somebody waits for.
    ///
    /// - Parameter at: Milliseconds since 1970, of the last of them.
    func heard(_ memberID: String, _ events: Int, at moment: Int64) {
        if events > 0 { others.heard(memberID, events, at: moment) }
    }

    /// Takes in what was counted.
    ///
    /// - Parameters:
    ///   - seconds: Passed since the last time, whatever the wall clock says.
    ///   - now: Milliseconds since 1970.
    func gather(seconds: Int, now: Int64) {
        let taken = tallies.withLock { tallies in
            tallies.indices.map { index in
                let counts = tallies[index].tally.take(leaving: Dictionary(minimumCapacity: tallies[index].portals))
                tallies[index].portals = counts.count
                return counts
            }
        }
        state.withLock { state in
            let jump = state.gatheredAt.map { now - $0 - Int64(seconds) * 1000 } ?? 0
            state.gatheredAt = now
            let hasJumped = abs(jump) >= Self.leastJump
            if hasJumped { state.portals = state.portals.mapValues { $0.moved(by: jump, notBeyond: now) } }
            var events = 0
            for counts in taken {
                for (memberID, count) in counts {
                    events += count.events
                    // Of a second in which the clock jumped nobody can tell on which side an event came.
                    let lastAt = hasJumped ? now : min(count.lastAt, now)
                    state.portals[memberID, default: PortalActivity(firstAt: lastAt)].heard(count.events, at: lastAt)
                    state.isChanged = true
                }
            }
            state.rate.passed(events, seconds: seconds)
        }
    }

    /// Takes in what an earlier run remembered, before anything is gathered.
    ///
    /// The time for which the bridge was down is taken out. If the clock was ahead then, it was down for no time that is known.
    ///
    /// - Parameter now: Milliseconds since 1970.
    func remember(_ contents: ActivityFile.Contents, now: Int64) {
        let absence = now - contents.savedAt
        let remembered = contents.portals.mapValues { portal in
            var portal = portal.moved(by: min(0, absence), notBeyond: now)
            portal.missed(absence)
            return portal
        }
        state.withLock { $0.portals = remembered }
    }

    /// Portals that are not known any more are forgotten, and so are those that the application was taken off.
    func keep(only directory: PortalDirectory) {
        state.withLock { state in
            let before = state.portals.count
            state.portals = state.portals.filter { directory[$0.key].map(\.isHeard) ?? false }
            if state.portals.count != before { state.isChanged = true }
        }
    }

    var portals: [String: PortalActivity] { state.withLock { $0.portals } }

    var rate: EventRate { state.withLock { $0.rate } }

    /// What is to be written. `nil`: nothing has changed.
    func takeChanges() -> [String: PortalActivity]? {
        state.withLock { state in
            defer { state.isChanged = false }
            return state.isChanged ? state.portals : nil
        }
    }

    /// They could not be written.
    func giveBackChanges() { state.withLock { $0.isChanged = true } }
}

extension Portal {
    /// Events may come from it.
    var isHeard: Bool { standing != .gone }
}
