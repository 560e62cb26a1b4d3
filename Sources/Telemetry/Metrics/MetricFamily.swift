/// All series of one metric name.
struct MetricFamily: Sendable {
    enum Kind: Sendable, Equatable {
        case counter
        case gauge
        case distribution
    }

    let kind: Kind
    /// Upper bounds of a distribution's buckets; none for a summary.
    let bounds: [Double]
    /// By label set, as printed.
    var series: [String: any MetricSeries] = [:]

    var type: String {
        switch kind {
        case .counter: "counter"
        case .gauge: "gauge"
        case .distribution: bounds.isEmpty ? "summary" : "histogram"
        }
    }

    /// The names that the lines of a distribution carry besides its own.
    static func derivedNames(_ name: String) -> [String] {
        ["\(name)_bucket", "\(name)_sum", "\(name)_count"]
    }

    func makeSeries(_ identity: SeriesIdentity) -> any MetricSeries {
        switch kind {
        case .counter: CounterSeries(identity)
        case .gauge: GaugeSeries(identity)
        case .distribution: DistributionSeries(identity, bounds: bounds)
        }
    }
}

/// One family as a scrape prints it.
struct RenderedFamily {
    let name: String
    let type: String
    let help: String?
    let series: [any MetricSeries]

    init(name: String, type: String, help: String?, series: [any MetricSeries]) {
        self.name = name
        self.type = type
        self.help = help
        self.series = series.sorted { $0.identity.labels < $1.identity.labels }
    }

    func render(into text: inout PrometheusText) {
        text.family(name, type: type, help: help)
        for one in series {
            one.render(into: &text)
        }
    }
}
