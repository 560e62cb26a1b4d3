package import CoreMetrics
internal import Locks
import Synchronization

/// A swift-metrics backend that renders what it holds as Prometheus text.
///
/// Written by hand because the Prometheus backend for swift-metrics cannot be resolved where this package is built.
///
/// The same name and label set give the same series however often they are asked for; the order of the dimensions does
/// not matter. Making a series takes a lock and allocates, so keep the `Counter` or `Timer` rather than making it for
/// each event. Changing its value is one or two relaxed atomic additions: no lock, no allocation.
///
/// Names are made to fit `[a-zA-Z_:][a-zA-Z0-9_:]*`, other characters become `_`. They are otherwise printed as given,
/// so a counter's name should end in `_total` and a timer's in `_seconds`.
///
/// | swift-metrics | Prometheus |
/// | --- | --- |
/// | `Counter`, `FloatingPointCounter` | counter |
/// | `Meter`, `Gauge`, `Recorder(aggregate: false)` | gauge |
/// | `Timer`, `Recorder` with ``buckets(_:_:)`` | histogram, timers in seconds |
/// | `Timer`, `Recorder` without | summary: `_sum` and `_count` |
///
/// Nothing here traps on a caller's mistake. A name that is already taken by another kind gives a series that nobody
/// sees, and `metrics_conflicts_total{metric}` counts it. A label set beyond the limit of its name gives the series in
/// which every label is `other`, and `metrics_label_overflows_total{metric}` counts it.
package final class MetricsRegistry: MetricsFactory, Sendable {
    fileprivate struct State: Sendable {
        var families: [String: MetricFamily] = [:]
        var help: [String: String] = [
            overflows: "Requests for a label set beyond the limit of its metric, by metric.",
            conflicts: "Requests for a metric whose name is taken by another kind, by metric.",
        ]
        var buckets: [String: [Double]] = [:]
        /// `_sum`, `_count` and `_bucket` names of distributions.
        var derived: Set<String> = []
    }

    private static let overflows = "metrics_label_overflows_total"
    private static let conflicts = "metrics_conflicts_total"
    private static let maxBuckets = 256

    private let maxLabelSets: Int
    private let state = Guarded(State())

    /// - Parameter maxLabelSets: how many series one metric name may have before further ones are counted as `other`.
    package init(maxLabelSets: Int = 1000) {
        self.maxLabelSets = max(1, maxLabelSets)
    }

    /// Sets the HELP line of a metric. May come before or after its first series.
    package func help(_ label: String, _ text: String) {
        state.withLock { $0.help[MetricText.name(label)] = text }
    }

    /// Makes a `Timer` or `Recorder` of this label a histogram. A timer's bounds are in seconds.
    ///
    /// Bounds are sorted; repeated ones and those that are not finite are left out, as are those after the 256th. The
    /// last bucket, `+Inf`, is always there.
    /// - Returns: `false` when the metric already has a series: its shape cannot change any more.
    @discardableResult
    package func buckets(_ label: String, _ upperBounds: [Double]) -> Bool {
        let bounds = Array(Set(upperBounds.filter(\.isFinite)).sorted().prefix(Self.maxBuckets))
        let name = MetricText.name(label)
        return state.withLock { state in
            guard state.families[name] == nil else { return false }
            state.buckets[name] = bounds
            return true
        }
    }

    /// The Prometheus text format, version 0.0.4: families by name, series by label set, the same order every time.
    ///
    /// Serve it as `text/plain; version=0.0.4; charset=utf-8`. It reads a few files of /proc and sorts all series, so
    /// it belongs on the admin side, not on the path of an event.
    package func render() -> [UInt8] {
        var families = state.withLock { state in
            state.families.map { name, family in
                (name: name, family: family, help: state.help[name])
            }
        }.map {
            RenderedFamily(name: $0.name, type: $0.family.type, help: $0.help, series: Array($0.family.series.values))
        }
        families += ProcessMetrics.families()
        families.sort { $0.name < $1.name }
        var text = PrometheusText()
        for family in families where !family.series.isEmpty {
            family.render(into: &text)
        }
        return text.bytes
    }

    /// What a series holds now, `nil` if there is none. For a timer or recorder the number of observations; its sum, in
    /// seconds for a timer, under the label with `_sum` behind it.
    package func value(_ label: String, _ dimensions: [(String, String)] = []) -> Double? {
        let name = MetricText.name(label)
        let labels = MetricText.labels(dimensions)
        let found: (series: any MetricSeries, isSum: Bool)? = state.withLock { state in
            if let series = state.families[name]?.series[labels] { return (series, false) }
            guard state.derived.contains(name), let suffix = name.lastIndex(of: "_") else { return nil }
            guard let series = state.families[String(name[..<suffix])]?.series[labels] else { return nil }
            return (series, name[suffix...] == "_sum")
        }
        guard let found else { return nil }
        if found.isSum, let distribution = found.series as? DistributionSeries { return distribution.sum }
        return found.series.value
    }
}

// MARK: - MetricsFactory

extension MetricsRegistry {
    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(label, dimensions, .counter) as? CounterSeries ?? CounterSeries(.detached)
    }

    package func makeFloatingPointCounter(
        label: String,
        dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        series(label, dimensions, .counter) as? CounterSeries ?? CounterSeries(.detached)
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(label, dimensions, .gauge) as? GaugeSeries ?? GaugeSeries(.detached)
    }

    package func makeRecorder(
        label: String,
        dimensions: [(String, String)],
        aggregate: Bool
    ) -> any RecorderHandler {
        guard aggregate else {
            return series(label, dimensions, .gauge) as? GaugeSeries ?? GaugeSeries(.detached)
        }
        return series(label, dimensions, .distribution) as? DistributionSeries
            ?? DistributionSeries(.detached, bounds: [])
    }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        series(label, dimensions, .distribution) as? DistributionSeries ?? DistributionSeries(.detached, bounds: [])
    }

    /// Takes the series out of the text and frees its place. Handlers of the same label set made before keep working,
    /// but nobody sees their values any more.
    package func destroyCounter(_ handler: any CounterHandler) { remove(handler) }
    package func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { remove(handler) }
    package func destroyMeter(_ handler: any MeterHandler) { remove(handler) }
    package func destroyRecorder(_ handler: any RecorderHandler) { remove(handler) }
    package func destroyTimer(_ handler: any TimerHandler) { remove(handler) }

    private func remove(_ handler: AnyObject) {
        guard let series = handler as? any MetricSeries else { return }
        state.withLock { state in
            let identity = series.identity
            guard state.families[identity.name]?.series[identity.labels] === series else { return }
            state.families[identity.name]?.series[identity.labels] = nil
        }
    }

    /// The one series of this name and label set; `nil` when the name is taken by another kind.
    private func series(
        _ label: String,
        _ dimensions: [(String, String)],
        _ kind: MetricFamily.Kind
    ) -> (any MetricSeries)? {
        let name = MetricText.name(label)
        let labels = MetricText.labels(dimensions)
        return state.withLock { state in
            guard state.admit(name, kind) else {
                state.count(Self.conflicts, metric: name)
                return nil
            }
            if let series = state.families[name]?.series[labels] { return series }
            guard !labels.isEmpty, state.families[name]?.series.count ?? 0 >= maxLabelSets else {
                return state.add(name, labels)
            }
            state.count(Self.overflows, metric: name)
            let rest = MetricText.labels(dimensions, replacement: "other")
            return state.families[name]?.series[rest] ?? state.add(name, rest)
        }
    }
}

extension MetricsRegistry.State {
    /// Whether the name has, or now gets, a family of this kind.
    fileprivate mutating func admit(_ name: String, _ kind: MetricFamily.Kind) -> Bool {
        if let family = families[name] { return family.kind == kind }
        guard !derived.contains(name), !ProcessMetrics.names.contains(name) else { return false }
        if kind == .distribution {
            let names = MetricFamily.derivedNames(name)
            guard names.allSatisfy({ families[$0] == nil && !ProcessMetrics.names.contains($0) }) else { return false }
            derived.formUnion(names)
        }
        families[name] = MetricFamily(kind: kind, bounds: kind == .distribution ? buckets[name] ?? [] : [])
        return true
    }

    fileprivate mutating func add(_ name: String, _ labels: String) -> (any MetricSeries)? {
        let series = families[name]?.makeSeries(SeriesIdentity(name: name, labels: labels))
        families[name]?.series[labels] = series
        return series
    }

    /// Adds one to the registry's own counter. Its label is a metric name, and those come from the code.
    fileprivate mutating func count(_ counter: String, metric: String) {
        guard admit(counter, .counter) else { return }
        let labels = MetricText.labels([("metric", metric)])
        let series = families[counter]?.series[labels] ?? add(counter, labels)
        (series as? CounterSeries)?.increment(by: Int64(1))
    }
}
