import CoreMetrics
import Synchronization

/// One line (or, for a distribution, one group of lines) of the Prometheus text: a name, a label set, a value.
///
/// A series is made under the registry's lock and from then on changed without any: every value is a relaxed atomic.
/// Relaxed is enough because nothing is read because of a metric; a scrape that runs beside an increment may see it or
/// not.
protocol MetricSeries: AnyObject, Sendable {
    var identity: SeriesIdentity { get }
    /// A counter's or gauge's value; a distribution's number of observations.
    var value: Double { get }
    func render(into text: inout PrometheusText)
}

/// Where a series lives in the registry. A detached series, whose values nobody sees, has an empty name.
struct SeriesIdentity: Sendable {
    static let detached = SeriesIdentity(name: "", labels: "")

    let name: String
    /// The label set as it is printed between the braces, so that two sets that print alike are one series.
    let labels: String
}

/// A total that only grows. Whole and fractional increments have a cell each, so that a label may be used with both
/// `Counter` and `FloatingPointCounter`, and so that whole numbers stay exact beyond 2^53.
final class CounterSeries: MetricSeries, CounterHandler, FloatingPointCounterHandler {
    let identity: SeriesIdentity
    private let whole = Atomic<UInt64>(0)
    private let fraction = Atomic<UInt64>(0)

    init(_ identity: SeriesIdentity) {
        self.identity = identity
    }

    func increment(by amount: Int64) {
        // A counter that falls looks to Prometheus like a restart, so a negative amount is not applied.
        guard amount > 0 else { return }
        whole.wrappingAdd(UInt64(amount), ordering: .relaxed)
    }

    func increment(by amount: Double) {
        guard amount > 0, amount.isFinite else { return }
        fraction.addDouble(amount)
    }

    func reset() {
        whole.store(0, ordering: .relaxed)
        fraction.store(0, ordering: .relaxed)
    }

    var value: Double {
        Double(whole.load(ordering: .relaxed)) + fraction.loadDouble()
    }

    func render(into text: inout PrometheusText) {
        let fractional = fraction.loadDouble()
        if fractional == 0 {
            text.sample(identity.name, labels: identity.labels, count: whole.load(ordering: .relaxed))
        } else {
            text.sample(identity.name, labels: identity.labels, value: value)
        }
    }
}

/// A value that goes up and down: a `Meter`, a `Gauge` or a `Recorder` that does not aggregate.
final class GaugeSeries: MetricSeries, MeterHandler, RecorderHandler {
    let identity: SeriesIdentity
    private let cell = Atomic<UInt64>(0)

    init(_ identity: SeriesIdentity) {
        self.identity = identity
    }

    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { cell.store(value.bitPattern, ordering: .relaxed) }
    func increment(by amount: Double) { cell.addDouble(amount) }
    func decrement(by amount: Double) { cell.addDouble(-amount) }
    func record(_ value: Int64) { set(Double(value)) }
    func record(_ value: Double) { set(value) }

    var value: Double { cell.loadDouble() }

    func render(into text: inout PrometheusText) {
        text.sample(identity.name, labels: identity.labels, value: value)
    }
}

extension Atomic where Value == UInt64 {
    /// Adds to the `Double` whose bits this cell holds.
    func addDouble(_ amount: Double) {
        var seen = load(ordering: .relaxed)
        while true {
            let sum = (Double(bitPattern: seen) + amount).bitPattern
            let (exchanged, original) = weakCompareExchange(expected: seen, desired: sum, ordering: .relaxed)
            if exchanged { return }
            seen = original
        }
    }

    func loadDouble() -> Double {
        Double(bitPattern: load(ordering: .relaxed))
    }
}
