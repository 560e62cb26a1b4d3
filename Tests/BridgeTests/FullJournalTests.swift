import Bitrix24
import Foundation
import Journal
import KafkaClient
import Telemetry
import Testing

@testable import Bridge

/// A journal that fills up is told long before events are lost, and room is given in arrival order.
@Suite struct FullJournalTests {
    private static func padded(_ id: Int, _ bytes: Int = 1000, _ code: String = "ONCRMDEALUPDATE") -> String {
        event(code, id: "\(id)", more: "&data[N]=\(id)&data[P]=" + String(repeating: "x", count: bytes))
    }

    /// Posts padded events until the journal holds this share.
    private static func fill(_ bridge: RunningBridge, to ratio: Double, _ next: inout Int) async throws {
        let journal = bridge.bridge.journal
        while Double(journal.statistics.heldBytes) < ratio * Double(journal.statistics.maxBytes) {
            try await bridge.take([padded(next)])
            next += 1
        }
    }

    private static func gauge(_ name: String, _ bridge: RunningBridge) async throws -> Double {
        _ = try await bridge.get("/metrics")
        return try #require(bridge.registry.value("b24bridge_" + name, []))
    }

    @Test func `a start with a full journal says what waits, and why`() async throws {
        let directory = try TemporaryDirectory()
        let adjust: (inout BridgeSettings) -> Void = {
            $0.journal.maxBytes = 64 << 10
            $0.shutdownTimeout = .milliseconds(100)
        }
        var next = 1
        try await RunningBridge.with(servers: "127.0.0.1:1", directory: directory, adjust: adjust) { bridge in
            try await Self.fill(bridge, to: 0.6, &next)
        }
        try await RunningBridge.with(servers: "127.0.0.1:1", directory: directory, adjust: adjust) { bridge in
            let line = "warning the journal has filled beyond 50 %"
            try await wait(for: line) { bridge.logs.contains(line) }
            #expect(
                bridge.logs.contains(line, "undelivered=\(next - 1)", "mend=bring Kafka back"),
                "\(bridge.logs.lines)"
            )
            #expect(!bridge.logs.contains(line, "oldest=none"))
        }
    }

    @Test func `warnings come at 50, 80 and 95 percent before the first loss`() async throws {
        try await Kafka.withCluster { cluster in
            try await blocking { try cluster.setBroker(up: false) }
            let adjust: (inout BridgeSettings) -> Void = { $0.journal.maxBytes = 64 << 10 }
            try await RunningBridge.with(servers: cluster.bootstrapServers, adjust: adjust) { bridge in
                #expect(try await Self.gauge("journal_until_full_seconds", bridge) == .infinity)
                #expect(try await bridge.status().journal.secondsUntilFull == nil)
                var next = 1
                for level in [50, 80, 95] {
                    let line = "warning the journal has filled beyond \(level) %"
                    #expect(!bridge.logs.contains(line))
                    try await Self.fill(bridge, to: Double(level) / 100, &next)
                    try await wait(for: line + " \(bridge.logs.lines)") { bridge.logs.contains(line) }
                    #expect(
                        bridge.logs.contains(
                            line,
                            "limit=65536",
                            "bytes=\(bridge.bridge.journal.statistics.heldBytes)",
                            "undelivered=\(next - 1)",
                            "oldest=",
                            "timeLeft=full in",
                            "mend=bring Kafka back"
                        ),
                        "\(bridge.logs.lines)"
                    )
                    let ratio = try await Self.gauge("journal_fill_ratio", bridge)
                    #expect(ratio >= Double(level) / 100 && ratio < Double(level + 3) / 100)
                    #expect(try await Self.gauge("journal_until_full_seconds", bridge) < 600)
                    #expect(bridge.metric("events_lost_total", [("reason", "journal-full")]) == 0)
                }
                let journal = try await bridge.status().journal
                #expect(journal.fillRatio >= 0.95 && (journal.secondsUntilFull ?? .infinity) < 600)
                let page = try await bridge.get("/").body
                #expect(page.contains("<b>Journal</b> · more than 95 % full"))
                #expect(page.firstMatch(of: /<dt>Fill<\/dt><dd>9\d %, full in \d+ (s|min) at the present rate/) != nil)

                // There is room for a small event, and not for a large one. Who came first is first.
                let canary = "canary-of-a-body-0001"
                let tooLarge = Self.padded(next, 20_000) + "&data[C]=\(canary)"
                let smallEnough = event(id: "\(next + 1)", more: "&data[C]=\(canary)")
                async let large = bridge.post(tooLarge)
                try await wait(for: "it to wait") { bridge.bridge.journal.statistics.waitingAppends == 1 }
                async let small = bridge.post(smallEnough)
                try await wait(for: "both to wait") { bridge.bridge.journal.statistics.waitingAppends == 2 }
                let lost = try await large
                #expect(lost.status == 503 && lost.headers["retry-after"] == "5")
                #expect(try await small.status == 200)
                #expect(bridge.metric("events_lost_total", [("reason", "journal-full")]) == 1)
                #expect(
                    bridge.logs.contains("an event is lost", "portal=\(memberID)", "event=ONCRMDEALUPDATE")
                )
                #expect(!bridge.logs.lines.contains { $0.contains(canary) || $0.contains("xxxx") })

                try await blocking { try cluster.setBroker(up: true) }
                try await bridge.waitForDelivery(of: next, to: "crm.deal")
                try await wait(for: "the room to be told") {
                    bridge.logs.contains("notice the journal is well below", "timeLeft=")
                }
                #expect(try await Self.gauge("journal_fill_ratio", bridge) == 0)
                #expect(bridge.logs.lines.count { $0.contains("filled beyond") } == 3)
                try await bridge.expectSums()
            }
        }
    }

    @Test func `when room comes in time all that wait are taken in arrival order`() async throws {
        try await Kafka.withCluster { cluster in
            try await blocking { try cluster.setBroker(up: false) }
            let adjust: (inout BridgeSettings) -> Void = {
                $0.journal.maxBytes = 64 << 10
            }
            try await RunningBridge.with(servers: cluster.bootstrapServers, prefix: "order", adjust: adjust) { bridge in
                var next = 1
                try await Self.fill(bridge, to: 0.9, &next)
                let before = next - 1
                // The first does not fit; those behind it would.
                try await withThrowingTaskGroup(of: Int.self) { group in
                    for index in 0..<8 {
                        let body = Self.padded(next + index, index == 0 ? 20_000 : 10)
                        group.addTask { try await bridge.post(body).status }
                        try await wait(for: "\(index + 1) to wait") {
                            bridge.bridge.journal.statistics.waitingAppends == index + 1
                        }
                    }
                    try await blocking { try cluster.setBroker(up: true) }
                    for try await status in group { #expect(status == 200) }
                }
                try await wait(for: "their delivery") { bridge.delivered.count == before + 8 }
                let arrived = bridge.delivered.sorted { $0.position ?? 0 < $1.position ?? 0 }.map(\.entityID)
                #expect(arrived == (1..<next + 8).map { "\($0)" })
                #expect(bridge.metric("events_lost_total", [("reason", "journal-full")]) == 0)
                try await bridge.expectSums()
            }
        }
    }

    @Test func `retained segments raise no alarm`() async throws {
        let adjust: (inout BridgeSettings) -> Void = {
            $0.journal.maxBytes = 64 << 10
            $0.journal.retain = .seconds(3600)
        }
        try await RunningBridge.with(adjust: adjust) { bridge in
            let journal = bridge.bridge.journal
            var sent = 0
            while journal.statistics.diskBytes < 60 << 10 {
                sent += 1
                try await bridge.take([Self.padded(sent)])
                try await bridge.waitForDelivery(of: sent, to: "crm.deal")
            }
            let looked = ContinuousClock.now
            try await wait(for: "all to be confirmed") { journal.statistics.heldBytes == 0 }
            try await wait(for: "the watch to have looked") { ContinuousClock.now - looked > FillWatch.interval * 2 }
            #expect(journal.statistics.diskBytes > 40 << 10)
            #expect(try await Self.gauge("journal_fill_ratio", bridge) == 0)
            #expect(!bridge.logs.contains("filled beyond"))
        }
    }

    @Test func `the parked journal warns as well, and the journal itself stays free`() async throws {
        try await Kafka.withCluster { cluster in
            cluster.setTopicError("pfill.crm.deal", .unknownTopicOrPartition)
            let adjust: (inout BridgeSettings) -> Void = {
                $0.kafka.parkAfter = .milliseconds(100)
                $0.journal.maxBytes = 256 << 10
                $0.journal.parkedMaxBytes = 64 << 10
            }
            try await RunningBridge.with(servers: cluster.bootstrapServers, prefix: "pfill", adjust: adjust) { bridge in
                let parked = bridge.bridge.parked
                let limit = (64 << 10) / 8 * 7
                var sent = 0
                for level in [50, 80, 95] {
                    let line = "warning the parked journal has filled beyond \(level) %"
                    #expect(!bridge.logs.contains(line))
                    while parked.statistics.heldBytes * 100 < level * limit {
                        sent += 1
                        try await bridge.take([Self.padded(sent)])
                        try await wait(for: "\(sent) to be parked") {
                            _ = try await bridge.get("/metrics")
                            return bridge.metric("records_parked") == sent
                        }
                    }
                    try await wait(for: line + " \(bridge.logs.lines)") { bridge.logs.contains(line) }
                    #expect(
                        bridge.logs.contains(
                            line,
                            "limit=\(limit)",
                            "undelivered=\(sent)",
                            "refusing=pfill.crm.deal",
                            "mend=mend the topics"
                        ),
                        "\(bridge.logs.lines)"
                    )
                    let ratio = try await Self.gauge("parked_journal_fill_ratio", bridge)
                    #expect(ratio * 100 >= Double(level) && ratio < 1)
                    #expect(try await Self.gauge("parked_journal_until_full_seconds", bridge) < 600)
                }
                #expect(!bridge.logs.contains("the quota of parked records is used up"))
                #expect(!bridge.logs.contains("warning the journal has filled"))
                #expect(try await Self.gauge("journal_fill_ratio", bridge) < 0.3)
                try await bridge.take(leads(1...20))
                try await bridge.waitForDelivery(of: 20, to: "crm.lead")
            }
        }
    }
}
