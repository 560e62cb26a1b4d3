import Bitrix24
import Foundation
import Testing

@testable import Bridge

@Suite struct StatusPageTests {
    private static func html(_ report: StatusReport, _ portals: [PortalStatus] = [], find: String = "") -> String {
        StatusPage(report, portals: PortalPage(found: portals.count, portals: portals), find: find).html.text
    }

    /// A value in which every text is another one.
    private static func replacingTexts<Value: Codable>(of value: Value, with text: String) throws -> Value {
        func replaced(_ json: Any) -> Any {
            switch json {
            case is String: text
            case let list as [Any]: list.map(replaced)
            case let fields as [String: Any]:
                // One of three words.
                Dictionary(uniqueKeysWithValues: fields.map { ($0, $0 == "standing" ? $1 : replaced($1)) })
            default: json
            }
        }
        let json = try JSONSerialization.jsonObject(with: JSONEncoder().encode(value))
        return try JSONDecoder().decode(Value.self, from: JSONSerialization.data(withJSONObject: replaced(json)))
    }

    @Test func `no text of the status, of a portal or of a search becomes markup`() throws {
        let hostile = "</b><script>alert(1)</script>\" onload='x' &lt; \u{202E}" + String(repeating: "w", count: 300)
        let escaped =
            "&lt;/b&gt;&lt;script&gt;alert(1)&lt;/script&gt;&quot; onload=&#39;x&#39; &amp;lt; \u{FFFD}"
            + String(repeating: "w", count: 300)
        let portals = PortalStatus.samples(3, troubled: true)
        func page(_ text: String) throws -> String {
            StatusPage(
                try Self.replacingTexts(of: .troubled, with: text),
                portals: PortalPage(found: 60, portals: try Self.replacingTexts(of: portals, with: text)),
                find: text,
                now: .init(milliseconds: 1_700_000_000_000)
            ).html.text
        }
        let attacked = try page(hostile)
        // The same page as of any other text: nothing of it has become a part of the markup, and nothing was left out.
        #expect(attacked.replacingOccurrences(of: escaped, with: "harmless") == (try page("harmless")))
        #expect(attacked.components(separatedBy: escaped).count > 40)
    }

    @Test func `the headline says how it is, and what somebody should look at comes first`() {
        #expect(Self.html(.idle).contains("<title>Ready: b24bridge-0</title>"))
        #expect(Self.html(.idle).contains("<header class=\"good\">"))
        #expect(!Self.html(.idle).contains("Needs attention"))
        #expect(Self.html(.troubled).contains("<title>NOT READY: b24bridge-0</title>"))
        #expect(Self.html(.troubled).contains("<header class=\"bad\">"))
        let worries = StatusPage(.troubled, portals: PortalPage()).worries
        #expect(worries.first?.subject == "Not ready")
        let firstOther = worries.firstIndex { $0.grade != .bad } ?? 0
        #expect(worries[firstOther...].allSatisfy { $0.grade == .warn })
    }

    /// Each alone makes the headline say that something is to be looked at.
    @Test(arguments: [
        ("Not ready", "the disk fails"), ("Events lost", "in the last hour"), ("Events lost", "since the start"),
        ("Journal", "more than 80 %"), ("Parked records", "more than 50 %"), ("Parked records", "is failing: EIO"),
        ("Journal", "could not be read"), ("Kafka unreachable", "all brokers are down"),
        ("Brokers down", "kafka-2:9092"),
        ("Kafka is behind", "5 minutes"), ("Token for Kafka", "expired"), ("Token for Kafka", "invalid_client"),
        ("Topic b24.crm.deal", "its records are parked"), ("Topics refuse", "b24.0, b24.1, b24.2 and 97 others"),
        ("1 portal", "silent"), ("2 portals", "must open or install"), ("3 portals", "cannot be fetched"),
        ("Registry", "no leader"), ("Offline events", "Kafka is away"), ("List bitrix24", "everybody may send"),
        ("List bitrix24", "status 502"),
    ])
    func `every trouble is told in words`(subject: String, words: String) throws {
        var report = StatusReport.busy
        switch words {
        case "the disk fails": (report.ready, report.obstacles) = (false, [words])
        case "in the last hour": report.refusals = [.init(reason: "overload", lost: true, count: 1, lastSecondsAgo: 9)]
        case "since the start":
            report.refusals = [.init(reason: "overload", lost: true, count: 1, lastSecondsAgo: 9000)]
        case "more than 80 %": report.journal.fillRatio = 0.94
        case "more than 50 %": report.parked.fillRatio = 0.5
        case "is failing: EIO": report.parked.state = "failing: EIO"
        case "could not be read": report.journal.setAsideFiles = 1
        case "all brokers are down": report.kafka.unreachable = words
        case "kafka-2:9092": (report.kafka.brokers[1].standing, report.kafka.brokers[1].state) = (.down, "INIT")
        case "5 minutes": report.kafka.oldestUndeliveredSeconds = 301
        case "expired": report.kafka.token = .init(secondsLeft: 0, failure: nil)
        case "invalid_client": report.kafka.token = .init(secondsLeft: 60, failure: words)
        case "its records are parked":
            report.kafka.refusingTopics = [.init(topic: "b24.crm.deal", parked: true, error: "e", seconds: 1)]
        case let words where words.hasSuffix("others"):
            report.kafka.refusingTopics = (0..<100).map {
                .init(topic: "b24.\($0)", parked: true, error: "e", seconds: 1)
            }
        case "silent": report.activity.silentPortals = 1
        case "must open or install": report.registry?.states["needs-authorization"] = 2
        case "cannot be fetched": report.registry?.states["offline-denied"] = 3
        case "no leader": report.registry?.fault = words
        case "Kafka is away": report.offline?.paused = words
        case "everybody may send": report.senders.lists = [.init(name: "bitrix24", entries: 0)]
        default: report.senders.lists = [.init(name: "bitrix24", entries: 4, ageSeconds: 9, failure: words)]
        }
        #expect(StatusPage(.busy, portals: PortalPage()).worries.isEmpty)
        let worries = StatusPage(report, portals: PortalPage()).worries
        #expect(worries.count == 1)
        #expect(worries.first?.subject == subject && worries.first?.words.contains(words) == true, "\(worries)")
        #expect(!Self.html(report).contains("<header class=\"good\">"))
    }

    /// What is read aloud must not be another text every two seconds.
    @Test func `no trouble is told with a number that runs`() {
        var later = StatusReport.troubled
        later.uptimeSeconds += 2
        later.kafka.waitingRecords += 311
        later.kafka.oldestUndeliveredSeconds = 8042
        later.kafka.token?.secondsLeft = -42
        later.refusals[0].count += 20
        later.offline?.lagSeconds = 7302
        for index in later.kafka.refusingTopics.indices { later.kafka.refusingTopics[index].seconds += 2 }
        let before = StatusPage(.troubled, portals: PortalPage()).worries
        #expect(StatusPage(later, portals: PortalPage()).worries == before)
    }

    @Test func `numbers and times are for people`() {
        #expect(
            [0, 12, 999, 1000, 1_234_567, -4321].map { Words.number($0) }
                == ["0", "12", "999", "1,000", "1,234,567", "-4,321"]
        )
        #expect(
            [0, 0.001, 0.04, 0.06, 9.94, 9.96, 1234.5, .infinity, .nan].map(StatusPage.rate)
                == ["0", "below 0.1", "below 0.1", "0.1", "9.9", "10", "1,235", "0", "0"]
        )
        #expect([0, 0.004, 0.5, 0.996, 1, 1.2, -1, .nan].map(StatusPage.percent) == [0, 0, 50, 99, 100, 100, 0, 0])
        let page = StatusPage(.idle, portals: PortalPage(), now: .init(milliseconds: 1_700_000_000_000))
        let ago = "<time datetime=\"2023-11-14T22:13:08Z\" title=\"2023-11-14T22:13:08Z\">12 s ago</time>"
        #expect(page.ago(12).text == ago)
    }

    @Test func `a fresh bridge, which has heard nothing of nobody yet, has a page too`() {
        var report = StatusReport.idle
        report.kafka.brokers = []
        report.activity = .init()
        report.portals = 0
        let page = Self.html(report)
        #expect(page.contains("no figures of the last minute yet") && page.contains("No portal is known yet."))
        #expect(page.contains("kafka-1:9092,kafka-2:9092,kafka-3:9092"))
        #expect(Self.html(report, find: "acme").contains("No portal matches <b>acme</b>."))
    }

    @Test func `a thousand portals stay a short list, and say so`() {
        let page = StatusPage(
            .busy,
            portals: PortalPage(found: 10_000, portals: PortalStatus.samples(1000))
        ).html.text
        #expect(page.contains("50 of 10,000 portals"))
        #expect(page.components(separatedBy: "a223c6b3710f85df22e9377d").count == 51)
        #expect(page.utf8.count < 32_000, "\(page.utf8.count)")
    }

    @Test func `it is small, whatever trouble there is`() {
        let portals = PortalPage(found: 10_000, portals: PortalStatus.samples(50, troubled: true))
        let bytes = StatusPage(.troubled, portals: portals).html.text.utf8.count
        #expect(bytes < 40_000, "\(bytes)")
    }

    @Test func `a broker that rests between two attempts is down, and one of which nothing is asked is not`() {
        var report = StatusReport.idle
        report.kafka.brokers[0].state = "INIT"
        report.kafka.brokers[1].state = "INIT"
        (report.kafka.brokers[0].standing, report.kafka.brokers[1].standing) = (.idle, .down)
        let page = Self.html(report)
        #expect(page.contains("<span class=\"badge plain\">idle</span> <small>init for 3 h</small>"))
        #expect(page.contains("<span class=\"badge bad\">down</span> <small>init for 3 h</small>"))
        #expect(page.contains("<span class=\"badge good\">up</span> <small>for 3 h</small>"))
        #expect(page.contains("<b>Brokers down</b> · 1 of 3: kafka-2:9092"))
    }
}
