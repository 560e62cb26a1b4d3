internal import CoreMetrics
internal import Metrics

/// One counter for each of Bitrix24's codes that tells something. The others are counted together, so that no portal makes up
/// labels.
struct CodeCounters: Sendable {
    private let counters: [String: Counter]
    private let others: Counter

    /// - Parameter name: Without prefix, and with `_total` at its end.
    init(_ name: String, _ codes: [String], factory: any MetricsFactory) {
        func counter(_ code: String) -> Counter {
            Counter(label: BridgeMetrics.prefix + name, dimensions: [("code", code)], factory: factory)
        }
        counters = Dictionary(uniqueKeysWithValues: codes.map { ($0, counter($0)) })
        others = counter("other")
    }

    func increment(_ code: String) { (counters[code] ?? others).increment() }
}
