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
        func page(_ report: StatusReport) -> String { StatusPage(report, portals: PortalPage()).html.text }
        try await Kafka.withCluster { cluster in
            try await RunningBridge.with(servers: cluster.bootstrapServers) { bridge in
                var report = try await bridge.status()
                #expect(report.offline == nil)
                #expect(!page(report).contains("Offline events"))
                report.offline = .init(OfflineStatus(), denied: 0, now: 0)
                for words in ["0 portals<", "0 rows<", ">nothing waits<"] { #expect(page(report).contains(words)) }
                var status = OfflineStatus()
                (status.portals, status.drained, status.held, status.deadLettered) = (1, 1234, 2, 1)
                (status.oldestChangeAt, status.pause) = (0, "Kafka is <away>")
                report.offline = .init(status, denied: 1, now: 240_000)
                for words in ["1 portal<", "1,234 rows<", "2 rows<", "1 row<", "4 min ago<", "Kafka is &lt;away&gt;"] {
                    #expect(page(report).contains(words), "\(words): \(page(report))")
                }
            }
        }
    }
}
