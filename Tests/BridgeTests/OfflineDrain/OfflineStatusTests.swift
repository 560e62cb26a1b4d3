import KafkaClient
import Testing

@testable import Bridge

@Suite struct OfflineStatusTests {
    @Test func `the status tells what the drain tells, its lag counted from now`() {
        var status = OfflineStatus()
        (status.portals, status.drained, status.held, status.deadLettered) = (3, 1200, 4, 1)
        status.oldestChangeAt = 10_000
        status.pause = "Kafka is away"
        let part = StatusReport.OfflinePart(status, denied: 2, now: 12_500)
        #expect(part.portals == 3 && part.portalsDenied == 2 && part.drainedRows == 1200)
        #expect(part.heldRows == 4 && part.deadLetteredRows == 1)
        #expect(part.lagSeconds == 2.5 && part.paused == "Kafka is away")
        #expect(StatusReport.OfflinePart(status, denied: 0, now: 9000).lagSeconds == 0, "the portal's clock is ahead")
    }

    @Test func `only whoever drains tells of it, and the page in words`() async throws {
        try await Kafka.withCluster { cluster in
            try await RunningBridge.with(servers: cluster.bootstrapServers) { bridge in
                var report = try await bridge.status()
                #expect(report.offline == nil)
                #expect(!StatusPage.html(report).contains("Offline events"))
                report.offline = .init(OfflineStatus(), denied: 0, now: 0)
                #expect(StatusPage.html(report).contains("0 portals with a queue, 0 rows drained, nothing waits<"))
                var status = OfflineStatus()
                (status.portals, status.drained, status.held, status.deadLettered) = (1, 1, 2, 1)
                (status.oldestChangeAt, status.pause) = (0, "Kafka is <away>")
                report.offline = .init(status, denied: 1, now: 240_000)
                let words =
                    "1 portal with a queue, 1 row drained, 2 held, 1 row became a dead letter, the oldest change is 4 min "
                    + "old, 1 portal cannot be drained; paused: Kafka is &lt;away&gt;"
                #expect(StatusPage.html(report).contains(words), "\(StatusPage.html(report))")
            }
        }
    }
}
