import CoreMetrics
import Foundation
import Testing

@testable import Telemetry

@Suite("Metrics registry")
struct MetricsRegistryTests {
    /// The text without the process's own metrics, which change from scrape to scrape.
    private func text(_ registry: MetricsRegistry) -> String {
        String(decoding: registry.render(), as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false)
            .filter { !$0.contains("process_") }
            .joined(separator: "\n")
    }

    @Test("The text holds every kind, sorted by name and by label set")
    func rendersEveryKind() {
        let registry = MetricsRegistry()
        registry.help("requests_total", "Requests, by status.")
        registry.help("wait_seconds", "A \\ and\na line.")
        registry.buckets("wait_seconds", [0.1, 0.001, 1, .infinity, 0.1])
        registry.buckets("batch_records", [1, 2.5])
        Counter(label: "requests_total", dimensions: [("code", "503")], factory: registry).increment(by: 2)
        Counter(label: "requests_total", dimensions: [("code", "200"), ("a", "x")], factory: registry).increment()
        FloatingPointCounter(label: "cpu_total", factory: registry).increment(by: 0.25)
        let meter = Meter(label: "queue_bytes", factory: registry)
        meter.set(10)
        meter.decrement(by: 0.5)
        Gauge(label: "gauge", factory: registry).record(-3)
        let timer = Timer(label: "wait_seconds", factory: registry)
        timer.recordMilliseconds(1)
        timer.recordMilliseconds(2)
        timer.recordSeconds(5)
        let recorder = Recorder(label: "batch_records", factory: registry)
        recorder.record(1)
        recorder.record(2.5)
        recorder.record(7)
        let summary = Timer(label: "a_seconds", dimensions: [("k", "v")], factory: registry)
        summary.recordNanoseconds(1_500_000_000)
        #expect(
            text(registry) == """
                # TYPE a_seconds summary
                a_seconds_sum{k="v"} 1.5
                a_seconds_count{k="v"} 1
                # TYPE batch_records histogram
                batch_records_bucket{le="1"} 1
                batch_records_bucket{le="2.5"} 2
                batch_records_bucket{le="+Inf"} 3
                batch_records_sum 10.5
                batch_records_count 3
                # TYPE cpu_total counter
                cpu_total 0.25
                # TYPE gauge gauge
                gauge -3
                # TYPE queue_bytes gauge
                queue_bytes 9.5
                # HELP requests_total Requests, by status.
                # TYPE requests_total counter
                requests_total{a="x",code="200"} 1
                requests_total{code="503"} 2
                # HELP wait_seconds A \\\\ and\\na line.
                # TYPE wait_seconds histogram
                wait_seconds_bucket{le="0.001"} 1
                wait_seconds_bucket{le="0.1"} 2
                wait_seconds_bucket{le="1"} 2
                wait_seconds_bucket{le="+Inf"} 3
                wait_seconds_sum 5.003
                wait_seconds_count 3

                """
        )
        #expect(text(registry) == text(registry))
    }

    @Test("The same name and labels give the same series, in whatever order the labels come")
    func sameSeries() {
        let registry = MetricsRegistry()
        Counter(label: "c_total", dimensions: [("a", "1"), ("b", "2")], factory: registry).increment()
        Counter(label: "c_total", dimensions: [("b", "2"), ("a", "1")], factory: registry).increment(by: 4)
        #expect(registry.value("c_total", [("a", "1"), ("b", "2")]) == 5)
        #expect(registry.value("c_total", [("a", "1")]) == nil)
        #expect(registry.value("absent", []) == nil)
    }

    @Test("Counters never fall and never become not-a-number")
    func countersOnlyGrow() {
        let registry = MetricsRegistry()
        let whole = Counter(label: "whole_total", factory: registry)
        whole.increment(by: 3)
        whole.increment(by: -2)
        whole.increment(by: Int64.max)
        #expect(text(registry).contains("whole_total 9223372036854775810\n"))
        let handler = registry.makeFloatingPointCounter(label: "fraction_total", dimensions: [])
        handler.increment(by: 1.5)
        handler.increment(by: -.infinity)
        handler.increment(by: .nan)
        handler.increment(by: .infinity)
        #expect(registry.value("fraction_total", []) == 1.5)
        whole.reset()
        #expect(registry.value("whole_total", []) == 0)
    }

    @Test("A value on a bound belongs to the bucket of that bound, one above it to the next")
    func bucketBounds() {
        let registry = MetricsRegistry()
        registry.buckets("t_seconds", [0.005, 0.01])
        let timer = Timer(label: "t_seconds", factory: registry)
        timer.recordNanoseconds(5_000_000)
        timer.recordNanoseconds(5_000_001)
        timer.recordNanoseconds(-1)
        #expect(text(registry).contains("t_seconds_bucket{le=\"0.005\"} 2\nt_seconds_bucket{le=\"0.01\"} 3\n"))
        #expect(registry.value("t_seconds", []) == 3)
        #expect(registry.value("t_seconds_sum", []) == 0.010000001)
        let recorder = Recorder(label: "r", factory: registry)
        recorder.record(Double.nan)
        recorder.record(2)
        #expect(registry.value("r_sum", []) == 2)
        #expect(registry.value("r_count", []) == 1)
    }

    @Test("Buckets asked for after the first series change nothing, and the caller is told")
    func lateBuckets() {
        let registry = MetricsRegistry()
        #expect(registry.buckets("early_seconds", [1]))
        Timer(label: "early_seconds", factory: registry).recordSeconds(1)
        #expect(!registry.buckets("early_seconds", [1, 2]))
        #expect(!text(registry).contains("le=\"2\""))
    }

    @Test(
        "Names are made legal",
        arguments: [
            ("http.requests-total", "http_requests_total"), ("9lives", "_9lives"), ("", "_"), ("a:b", "a:b"),
            ("größe", "gr__e"), ("a\nb{c}", "a_b_c_"),
        ]
    )
    func legalNames(given: String, printed: String) {
        let registry = MetricsRegistry()
        Counter(label: given, factory: registry).increment()
        #expect(text(registry) == "# TYPE \(printed) counter\n\(printed) 1\n")
    }

    @Test("Label names are made legal and stay different from each other and from the format's own")
    func legalLabelNames() {
        let registry = MetricsRegistry()
        let dimensions = [("a.b", "1"), ("a_b", "2"), ("le", "3"), ("x:y", "4")]
        Counter(label: "c_total", dimensions: dimensions, factory: registry).increment()
        #expect(text(registry).contains("c_total{a_b=\"1\",a_b_=\"2\",le_=\"3\",x_y=\"4\"} 1\n"))
    }

    @Test("A label value cannot end its line or its quotes, and is not kept at any length")
    func hostileLabelValues() {
        let registry = MetricsRegistry()
        let value = "a\"} 1\nforged_total 2\\\r\u{0}é"
        Counter(label: "c_total", dimensions: [("v", value)], factory: registry).increment()
        #expect(text(registry).contains("c_total{v=\"a\\\"} 1\\nforged_total 2\\\\\u{FFFD}\u{FFFD}é\"} 1\n"))
        Counter(label: "long_total", dimensions: [("v", String(repeating: "é", count: 9000))], factory: registry)
            .increment()
        #expect(text(registry).contains("long_total{v=\"\(String(repeating: "é", count: 512))\"} 1\n"))
    }

    @Test("Beyond the limit of label sets the rest is counted together as other")
    func cardinality() {
        let registry = MetricsRegistry(maxLabelSets: 3)
        for index in 0..<10 {
            Counter(label: "c_total", dimensions: [("portal", "p\(index)"), ("code", "x")], factory: registry)
                .increment()
        }
        Counter(label: "c_total", dimensions: [("portal", "p1"), ("code", "x")], factory: registry).increment()
        #expect(registry.value("c_total", [("portal", "p1"), ("code", "x")]) == 2)
        #expect(registry.value("c_total", [("portal", "p3"), ("code", "x")]) == nil)
        #expect(registry.value("c_total", [("portal", "other"), ("code", "other")]) == 7)
        #expect(registry.value("metrics_label_overflows_total", [("metric", "c_total")]) == 7)
        #expect(text(registry).split(separator: "\n").count { $0.hasPrefix("c_total{") } == 4)
    }

    @Test("A name that is taken by another kind is not printed twice; the conflict is counted")
    func conflicts() {
        let registry = MetricsRegistry()
        Counter(label: "x", factory: registry).increment()
        Meter(label: "x", factory: registry).set(99)
        Timer(label: "y", factory: registry).recordSeconds(1)
        Counter(label: "y_count", factory: registry).increment()
        Counter(label: "process_open_fds", factory: registry).increment()
        #expect(registry.value("x", []) == 1)
        #expect(registry.value("y_count", []) == 1)
        for metric in ["x", "y_count", "process_open_fds"] {
            #expect(registry.value("metrics_conflicts_total", [("metric", metric)]) == 1)
        }
        #expect(text(registry).components(separatedBy: "# TYPE y_count").count == 1)
    }

    @Test("A destroyed series leaves the text and frees its place")
    func destroy() {
        let registry = MetricsRegistry(maxLabelSets: 1)
        let counter = Counter(label: "c_total", dimensions: [("p", "1")], factory: registry)
        counter.increment()
        counter.destroy()
        #expect(text(registry).isEmpty)
        Counter(label: "c_total", dimensions: [("p", "2")], factory: registry).increment()
        #expect(registry.value("c_total", [("p", "2")]) == 1)
    }

    @Test("Nothing is lost when threads increment, make series and scrape at the same time")
    func concurrentUse() {
        let registry = MetricsRegistry()
        registry.buckets("t_seconds", [0.5])
        let rounds = 20_000
        DispatchQueue.concurrentPerform(iterations: 4) { thread in
            let timer = Timer(label: "t_seconds", factory: registry)
            let fraction = registry.makeFloatingPointCounter(label: "f_total", dimensions: [])
            for round in 0..<rounds {
                if round % 100 == 0 {
                    Counter(label: "made_total", dimensions: [("t", "\(round % 7)")], factory: registry).increment()
                }
                timer.recordNanoseconds(round % 2 == 0 ? 1_000 : 1_000_000_000)
                fraction.increment(by: 0.5)
            }
            if thread == 0 { _ = registry.render() }
        }
        #expect(registry.value("t_seconds", []) == Double(4 * rounds))
        #expect(registry.value("t_seconds_sum", []) == 40_000.04)
        #expect(registry.value("f_total", []) == Double(2 * rounds))
        var made = 0.0
        for value in 0..<7 { made += registry.value("made_total", [("t", "\(value)")]) ?? 0 }
        #expect(made == Double(4 * rounds / 100))
    }

    @Test("The process's own metrics are plausible")
    func processMetrics() throws {
        let text = String(decoding: MetricsRegistry().render(), as: UTF8.self)
        func value(_ name: String) throws -> Double {
            let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("\(name) ") })
            return try #require(Double(line.dropFirst(name.count + 1)))
        }
        #expect(try value("process_resident_memory_bytes") > 1_000_000)
        #expect(try value("process_open_fds") >= 3)
        #expect(try value("process_max_fds") > value("process_open_fds"))
        #expect(try value("process_cpu_seconds_total") > 0)
        let age = try Date().timeIntervalSince1970 - value("process_start_time_seconds")
        #expect(age > -2 && age < 3600)
    }
}
