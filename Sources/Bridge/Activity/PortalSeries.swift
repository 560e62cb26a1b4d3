internal import CoreMetrics
internal import Locks
internal import Metrics
internal import Synchronization

/// The metrics of single portals, set at a scrape. A portal that leaves takes its series along, and so does one that is no longer
/// among those heard of last.
final class PortalSeries: Sendable {
    private struct Series {
        let events: Counter
        /// So many of what the ledger tells are in `events`.
        var counted = 0
        var silence: Meter?
        var longest: Meter?
    }

    private typealias Portal = (memberID: String, activity: PortalActivity?)

    private let limit: Int
    private let factory: any MetricsFactory
    private let series = Guarded<[String: Series]>([:])

    /// - Parameter limit: Most portals that have series.
    init(limit: Int, factory: any MetricsFactory) {
        self.limit = limit
        self.factory = factory
    }

    /// - Parameters:
    ///   - now: Milliseconds since 1970.
    ///   - portals: Asked while nobody else sets: of two scrapes at once, none sets what is older than what is there.
    /// - Returns: how many portals have none.
    func set(now: Int64, _ portals: @Sendable () -> [(String, PortalActivity?)]) -> Int {
        series.withLock { series in
            var chosen: [Portal] = portals().map { ($0, $1) }
            let count = chosen.count
            if count > limit {
                chosen.sort { Self.isBefore($0, $1) }
                chosen.removeLast(count - limit)
            }
            let shown = Dictionary(uniqueKeysWithValues: chosen)
            // First those that go: the registry has room for no more than the limit.
            for (memberID, gone) in series where shown[memberID] == nil {
                destroy(gone)
                series[memberID] = nil
            }
            for (memberID, activity) in shown {
                set(&series[memberID, default: Series(events: counter(memberID))], memberID, activity, now)
            }
            return count - chosen.count
        }
    }

    private func set(_ series: inout Series, _ memberID: String, _ activity: PortalActivity?, _ now: Int64) {
        // A portal that left and came back between two scrapes is counted anew by the ledger; the series goes on.
        if activity?.events ?? 0 < series.counted { series.counted = 0 }
        guard let activity else { return }
        series.events.increment(by: Int64(activity.events - series.counted))
        series.counted = activity.events
        if series.silence == nil { series.silence = meter(BridgeMetrics.portalSilence, memberID) }
        series.silence?.set(Double(activity.silence(at: now)) / 1000)
        guard let longest = activity.longestPause else { return }
        if series.longest == nil { series.longest = meter(BridgeMetrics.portalLongestSilence, memberID) }
        series.longest?.set(Double(longest) / 1000)
    }

    private func destroy(_ series: Series) {
        series.events.destroy()
        series.silence?.destroy()
        series.longest?.destroy()
    }

    /// Heard of later; those that were never heard of in the order of their ids, so that they are the same at each scrape.
    private static func isBefore(_ left: Portal, _ right: Portal) -> Bool {
        let (leftAt, rightAt) = (left.activity?.lastAt ?? .min, right.activity?.lastAt ?? .min)
        return leftAt == rightAt ? left.memberID < right.memberID : leftAt > rightAt
    }

    private func counter(_ memberID: String) -> Counter {
        Counter(
            label: BridgeMetrics.prefix + BridgeMetrics.portalEvents,
            dimensions: [("portal", memberID)],
            factory: factory
        )
    }

    private func meter(_ name: String, _ memberID: String) -> Meter {
        Meter(label: BridgeMetrics.prefix + name, dimensions: [("portal", memberID)], factory: factory)
    }
}
