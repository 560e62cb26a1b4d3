import Foundation
import KafkaClient
import Testing

/// Topics that take nothing for long, while others flow.
@Suite struct TopicFaultTests {
    @Test func `a missing and a closed topic delay their own records only, and give them back in order`() async throws {
        let cluster = try MockCluster()
        defer { cluster.close() }
        var setup = try Setup(servers: cluster.bootstrapServers)
        setup.settings["kafka"] = [
            // So that the producer hears of a topic that goes away while it is used.
            "parkAfter": "1s", "properties": ["topic.metadata.refresh.interval.ms": "500"],
        ]
        let missing = setup.prefix + "crm.deal"
        let closed = setup.prefix + "crm.lead"
        let open = ["ONCRMCONTACTUPDATE", "ONTASKADD"]
        let bridge = try setup.start()
        let port = try await bridge.port()
        let pace = ["--rate", "300", "--connections", "12", "--hold", "--timeout", "60s", "--events"]
        let bad = try Oracle.start(setup, port: port, pace + ["ONCRMDEALUPDATE,ONCRMLEADADD"])
        let good = try Oracle.start(setup, port: port, pace + [open.joined(separator: ",")])
        try await eventually("events to arrive") { try await bridge.metric("records_delivered_total") > 200 }

        cluster.setTopicError(missing, .unknownTopicOrPartition)
        cluster.setTopicError(closed, .unknownTopicOrPartition)
        try await eventually("their records to be parked", within: .seconds(40)) {
            try await bridge.metric("records_parked") > 200
        }
        // The others are delivered and the checkpoint follows, so the journal does not fill.
        let seconds = Campaign.pick(short: 2, full: 60)
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end {
            try await Task.sleep(for: .milliseconds(200))
            #expect(try await bridge.metric("oldest_undelivered_seconds") < 10)
        }
        good.stopSending()
        let others = try await good.verdict("other topics")
        let parked = Int(try await bridge.metric("records_parked"))
        #expect(parked > seconds * 100)
        cluster.setTopicError(closed, .noError)
        try await Task.sleep(for: .milliseconds(500))
        cluster.setTopicError(missing, .noError)
        try await eventually("the parked records to be delivered", within: .seconds(60)) {
            try await bridge.metric("records_parked") == 0
        }
        bad.stopSending()
        let report = try await bad.verdict("refusing topics")
        #expect(report.refused == 0 && others.refused == 0)
        try await bridge.stop()
        Campaign.report(
            "two topics refuse",
            "\(parked) parked at most; theirs: \(report.figures); the others': \(others.figures)"
        )
    }
}
