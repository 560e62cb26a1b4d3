internal import Bitrix24
internal import Locks
internal import Synchronization

/// What all portals did lately. Whoever takes events counts in a tally of its own; once a second `ActivityWatch` gathers them
/// here, where status and metrics look. Any thread.
final class ActivityLedger: Sendable {
    struct State: Sendable {
        var portals: [String: PortalActivity] = [:]
        var rate = EventRate()
        /// Something was heard that is not in the file.
        var isChanged = false
    }

    private let state = Guarded(State())
    private let tallies = Guarded<[(tally: ActivityTally, portals: Int)]>([])
    /// Of those who count now and then.
    private let others: ActivityTally

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
    /// - Parameter seconds: Passed since the last time.
    func gather(seconds: Int) {
        let taken = tallies.withLock { tallies in
            tallies.indices.map { index in
                let counts = tallies[index].tally.take(leaving: Dictionary(minimumCapacity: tallies[index].portals))
                tallies[index].portals = counts.count
                return counts
            }
        }
        state.withLock { state in
            var events = 0
            for counts in taken {
                for (memberID, count) in counts {
                    events += count.events
                    state.portals[memberID, default: PortalActivity(firstAt: count.lastAt)]
                        .heard(count.events, at: count.lastAt)
                    state.isChanged = true
                }
            }
            state.rate.passed(events, seconds: seconds)
        }
    }

    /// Takes in what an earlier run remembered, before anything is gathered.
    ///
    /// - Parameter absence: Milliseconds for which the bridge was down.
    func remember(_ portals: [String: PortalActivity], absence: Int64) {
        var portals = portals
        for memberID in portals.keys { portals[memberID]?.missed(absence) }
        let remembered = portals
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
