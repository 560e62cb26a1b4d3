internal import CoreMetrics
internal import Locks
internal import Metrics
internal import Synchronization

/// The metrics of single portals, set at a scrape. A portal that leaves takes its series along, and so does one that is no longer
/// among those heard of last.
final class PortalSeries: Sendable {
    private struct Series {
        let events: Counter
        /// So many are in `events`.
        var counted = 0
        var last: Meter?
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

    /// - Returns: how many portals have none.
    func set(_ portals: some Sequence<(String, PortalActivity?)>) -> Int {
        guard limit > 0 else { return portals.reduce(0) { count, _ in count + 1 } }
        var chosen: [Portal] = portals.map { ($0, $1) }
        let count = chosen.count
        if count > limit {
            chosen.sort { Self.isBefore($0, $1) }
            chosen.removeLast(count - limit)
        }
        let shown = Dictionary(uniqueKeysWithValues: chosen)
        series.withLock { series in
            // First those that go: the registry has room for no more than the limit.
            for (memberID, gone) in series where shown[memberID] == nil {
                destroy(gone)
                series[memberID] = nil
            }
            for (memberID, activity) in shown {
                set(&series[memberID, default: Series(events: counter(memberID))], memberID, activity)
            }
        }
        return count - chosen.count
    }

    private func set(_ series: inout Series, _ memberID: String, _ activity: PortalActivity?) {
        guard let activity else { return }
        series.events.increment(by: Int64(activity.events - series.counted))
        series.counted = max(series.counted, activity.events)
        if series.last == nil { series.last = meter(BridgeMetrics.portalLastEvent, memberID) }
        series.last?.set(Double(activity.lastAt) / 1000)
        guard let longest = activity.longestPause else { return }
        if series.longest == nil { series.longest = meter(BridgeMetrics.portalLongestSilence, memberID) }
        series.longest?.set(Double(longest) / 1000)
    }

    private func destroy(_ series: Series) {
        series.events.destroy()
        series.last?.destroy()
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
