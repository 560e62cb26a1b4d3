import CoreMetrics
import Synchronization

/// What a `Timer` or an aggregating `Recorder` writes to: a histogram when its name has buckets, else a summary that
/// has a sum and a count only.
///
/// One observation is one atomic addition to its bucket and one to the sum. The count is not kept: it is the sum of the
/// buckets at the scrape, so `_count` and the `+Inf` bucket always agree.
final class DistributionSeries: MetricSeries, TimerHandler, RecorderHandler, @unchecked Sendable {
    // @unchecked: the only member that is not Sendable is the pointer. It is set once in `init`, is freed in `deinit`
    // when no other reference exists, and what it points to is changed through atomics only.
    let identity: SeriesIdentity
    private let bounds: [Double]
    private let nanosecondBounds: [Int64]
    private let cells: UnsafeMutablePointer<Atomic<UInt64>>
    /// Whole nanoseconds of all timings. Wraps after 584 years of recorded time.
    private let nanoseconds = Atomic<UInt64>(0)
    private let recorded = Atomic<UInt64>(0)

    /// - Parameter bounds: ascending, finite, without repetition; empty for a summary.
    init(_ identity: SeriesIdentity, bounds: [Double]) {
        self.identity = identity
        self.bounds = bounds
        // A bound that does not fit is one that no timing can pass.
        nanosecondBounds = bounds.map { Int64(exactly: ($0 * 1e9).rounded()) ?? ($0 < 0 ? .min : .max) }
        cells = .allocate(capacity: bounds.count + 1)
        for index in 0...bounds.count {
            (cells + index).initialize(to: Atomic(0))
        }
    }

    deinit {
        cells.deinitialize(count: bounds.count + 1)
        cells.deallocate()
    }

    func recordNanoseconds(_ duration: Int64) {
        // A clock that was set back gives a negative duration; it counts as none.
        let duration = max(0, duration)
        cells[Self.bucket(of: duration, in: nanosecondBounds)].wrappingAdd(1, ordering: .relaxed)
        nanoseconds.wrappingAdd(UInt64(duration), ordering: .relaxed)
    }

    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        // One NaN or infinity would make the sum useless for good.
        guard value.isFinite else { return }
        cells[Self.bucket(of: value, in: bounds)].wrappingAdd(1, ordering: .relaxed)
        recorded.addDouble(value)
    }

    /// The first bucket whose upper bound is not below the value: a bound belongs to its own bucket.
    private static func bucket<Value: Comparable>(of value: Value, in bounds: [Value]) -> Int {
        var low = 0
        var high = bounds.count
        while low < high {
            let middle = (low + high) / 2
            if bounds[middle] < value { low = middle + 1 } else { high = middle }
        }
        return low
    }

    var count: UInt64 {
        (0...bounds.count).reduce(into: 0) { $0 &+= cells[$1].load(ordering: .relaxed) }
    }

    /// Timings in seconds plus what a recorder gave in its own unit.
    var sum: Double {
        Double(nanoseconds.load(ordering: .relaxed)) / 1e9 + recorded.loadDouble()
    }

    var value: Double { Double(count) }

    func render(into text: inout PrometheusText) {
        let (name, labels) = (identity.name, identity.labels)
        var count: UInt64 = 0
        if bounds.isEmpty {
            count = self.count
        } else {
            for index in 0...bounds.count {
                count &+= cells[index].load(ordering: .relaxed)
                text.bucket(name, labels: labels, upperBound: index < bounds.count ? bounds[index] : nil, count: count)
            }
        }
        text.sample(name, suffix: "_sum", labels: labels, value: sum)
        text.sample(name, suffix: "_count", labels: labels, count: count)
    }
}
