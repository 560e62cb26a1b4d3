import Foundation
import KafkaClient
import Testing

/// All brokers are away for so long that the journal spans many segments.
@Suite struct OutageFaultTests {
    @Test func `an outage changes neither the answers nor the order, and drains by itself`() async throws {
        // More would outrun what the in-process cluster keeps of a partition, 5 MiB, before the oracle has read it.
        let count = Campaign.pick(short: 2_500, full: 30_000)
        let rate = Campaign.pick(short: 500, full: 600)
        let cluster = try MockCluster()
        defer { cluster.close() }
        var setup = try Setup(servers: cluster.bootstrapServers)
        setup.settings["journal"] = ["segmentBytes": "64KiB"]
        // Taking a broker off here can leave a connection open and unanswered; librdkafka gives it up after this time.
        setup.settings["kafka"] = ["properties": ["socket.timeout.ms": "5000"]]
        let bridge = try setup.start()
        let port = try await bridge.port()
        let pace = ["--rate", "\(rate)", "--connections", "32", "--count", "\(count)"]

        let before = try await Oracle.start(setup, port: port, pace).verdict("before the outage", within: .seconds(180))
        let calm = try #require(before.answerMilliseconds)

        let oracle = try Oracle.start(setup, port: port, pace + ["--timeout", "60s"])
        try await eventually("some events to arrive") {
            try await bridge.metric("records_committed_total") > Double(count) + 100
        }
        try cluster.setBroker(up: false)
        var most = 0.0
        var segments = 0
        try await eventually("all events to be in the journal", within: .seconds(180)) {
            most = max(most, try bridge.figures().residentMiB)
            segments = max(segments, try bridge.segments())
            return try await bridge.metric("records_committed_total") >= Double(2 * count)
        }
        #expect(try await bridge.metric("records_waiting") > Double(count) / 2)
        let began = ContinuousClock.now
        try cluster.setBroker(up: true)
        try await eventually("all events to be delivered", within: .seconds(180)) {
            try await bridge.metric("records_delivered_total") >= Double(2 * count)
        }
        let drain = began.duration(to: .now)
        most = max(most, try bridge.figures().residentMiB)
        let report = try await oracle.verdict("outage")
        #expect(report.acknowledged == count && report.refused == 0 && report.unanswered == 0)
        #expect(segments >= Campaign.pick(short: 10, full: 200), "the journal spans many segments")
        // Answers that waited for Kafka would take seconds, most of them. The slowest hundredth tells of this machine as
        // much as of the bridge, so it is judged where the campaign is long and nothing else runs.
        let away = try #require(report.answerMilliseconds)
        #expect(away.p50 < 4 * calm.p50 + 100)
        if Campaign.isFull { #expect(away.p99 < 4 * calm.p99 + 100) }
        #expect(most < 200)
        try await bridge.stop()
        Campaign.report(
            "all brokers away",
            "\(segments) segments; p99 before \(calm.p99) ms; drained in \(drain); at most \(Int(most)) MiB resident; "
                + report.figures
        )
    }
}
