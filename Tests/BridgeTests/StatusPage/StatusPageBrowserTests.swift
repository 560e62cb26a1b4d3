import Foundation
import Locks
import Synchronization
import Testing

@testable import Bridge

/// The page as a browser runs it. One after the other: many browsers at once are more than two cores bear.
@Suite(.serialized, .enabled(if: Chromium.path != nil, Chromium.isMissing)) struct StatusPageBrowserTests {
    private static func open(
        _ report: StatusReport,
        _ portals: [PortalStatus] = [],
        _ body: (StatusStage, BrowserTab) async throws -> Void
    ) async throws {
        try await StatusStage.with(report, portals) { stage in
            try await BrowserTab.with { tab in
                try await tab.open(stage.url)
                // It is gone if the page is loaded anew.
                let _: Bool = try await tab.value(of: "window.isTheSame = true")
                try await body(stage, tab)
            }
        }
    }

    private static func expectPeace(_ stage: StatusStage, _ tab: BrowserTab) {
        #expect(tab.complaints.isEmpty)
        let own = tab.requested.filter { $0 != "about:blank" }
        #expect(own.allSatisfy { $0.hasPrefix(stage.url) }, "\(own)")
        #expect(own.contains { $0.hasSuffix("/status.js") } && own.contains { $0.hasSuffix("/status.css") })
    }

    @Test func `it follows the status without being loaded anew`() async throws {
        try await Self.open(.idle, PortalStatus.samples(3)) { stage, tab in
            #expect(try await tab.value(of: "document.title") == "Ready: b24bridge-0")
            stage.report.withLock { $0 = .troubled }
            try await tab.waitUntil("document.title === 'NOT READY: b24bridge-0'")
            try await tab.waitForText("Journal full")
            #expect(
                try await tab.value(of: "document.querySelector('link[rel=icon]').getAttribute('href')")
                    == "not-ready.svg"
            )
            // The region that is read aloud is the one that was there.
            let aloud: String = try await tab.value(of: "document.querySelector('[role=status]').innerText")
            #expect(aloud.contains("3/3 brokers are down"))
            stage.report.withLock { $0 = .busy }
            try await tab.waitForText("nothing needs attention")
            #expect(
                try await tab.value(of: "document.querySelector('svg').namespaceURI") == "http://www.w3.org/2000/svg"
            )
            #expect(try await tab.value(of: "window.isTheSame"))
            Self.expectPeace(stage, tab)
        }
    }

    @Test func `events of a real bridge appear on it`() async throws {
        // Nobody is there: what is taken waits, and that can be seen.
        let nobody = try ReservedPort()
        try await RunningBridge.with(servers: "127.0.0.1:\(nobody.number)") { bridge in
            try await BrowserTab.with { tab in
                try await tab.open("http://127.0.0.1:\(bridge.adminPort)/")
                let _: Bool = try await tab.value(of: "window.isTheSame = true")
                try await bridge.take(deals(0..<3))
                try await tab.waitUntil("/Waiting for Kafka\\s+3\\s+records/.test(document.body.innerText)")
                try await tab.waitForText("Kafka unreachable")
                #expect(try await tab.value(of: "window.isTheSame"))
                #expect(tab.complaints.isEmpty)
            }
        }
    }

    @Test func `it says so, and since when, when the bridge does not answer any more, and recovers`() async throws {
        try await Self.open(.busy) { stage, tab in
            try await tab.waitUntil("getComputedStyle(document.getElementById('lost')).display === 'none'")
            let port = stage.port
            await stage.stop()
            try await tab.waitForText("The bridge does not answer.")
            try await tab.waitUntil("/No answer for \\d+ (s|min), since \\d+:\\d+/.test(document.body.innerText)")
            try await tab.waitUntil("document.title === 'No answer: Ready: b24bridge-0'")
            #expect(try await tab.value(of: "Number(getComputedStyle(document.querySelector('main')).opacity) < 1"))
            stage.report.withLock { $0 = .troubled }
            try await stage.start(port: port)
            try await tab.waitUntil("document.title === 'NOT READY: b24bridge-0'")
            #expect(try await !tab.text.contains("The bridge does not answer."))
            #expect(try await tab.value(of: "getComputedStyle(document.querySelector('main')).opacity") == "1")
            #expect(try await tab.value(of: "window.isTheSame"))
        }
    }

    @Test func `what somebody types stays, and finds by the server`() async throws {
        try await Self.open(.idle, PortalStatus.samples(2000)) { stage, tab in
            let _: Bool = try await tab.value(of: "document.getElementById('find').focus() ?? true")
            try await tab.type("portal-1999")
            stage.report.withLock { $0 = .busy }
            try await tab.waitForText("1,284,113")
            #expect(try await tab.value(of: "document.activeElement.id") == "find")
            #expect(try await tab.value(of: "document.getElementById('find').value") == "portal-1999")
            #expect(try await tab.value(of: "window.isTheSame"))
            try await tab.pressEnter()
            try await tab.waitForText("1 that match “portal-1999”")
            #expect(try await tab.value(of: "location.search") == "?find=portal-1999")
            #expect(try await tab.value(of: "document.querySelectorAll('#portals ~ table tbody tr').length") == 1)
            // What is asked for every two seconds is the same search.
            stage.portals.withLock { $0[1999].state = "needs-authorization" }
            try await tab.waitUntil(
                "document.querySelector('#portals ~ table').innerText.includes('needs authorisation')"
            )
            Self.expectPeace(stage, tab)
        }
    }

    @Test func `a portal's name, a topic's error or a search is never run`() async throws {
        let attack = "\"><img src=x onerror=\"window.isAttacked = true\"><script>window.isAttacked = true</script>"
        var report = StatusReport.troubled
        report.replica = attack
        report.obstacles = [attack]
        report.kafka.refusingTopics[0].error = attack
        report.kafka.brokers[0].name = attack
        var portals = PortalStatus.samples(2)
        portals[0].domain = attack
        try await Self.open(report, portals) { stage, tab in
            // Both as it was loaded and as it was brought up to date.
            for round in 1...2 {
                #expect(try await tab.value(of: "!window.isAttacked && !document.querySelector('img, main script')"))
                #expect(
                    try await tab.value(of: "document.querySelector('#portals ~ table tbody th').firstChild.data")
                        == attack
                )
                stage.report.withLock { $0.uptimeSeconds = 1_000_000 }
                if round == 1 { try await tab.waitForText("up 11 days") }
            }
            let find = attack.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
            stage.portals.withLock { $0 = [] }
            try await tab.open("\(stage.url)?find=\(find)")
            try await tab.waitForText("No portal matches")
            #expect(try await tab.value(of: "!window.isAttacked && !document.querySelector('img, main script')"))
            #expect(try await tab.value(of: "document.getElementById('find').value") == String(attack.prefix(100)))
            Self.expectPeace(stage, tab)
        }
    }

    @Test func `it rests while nobody sees it`() async throws {
        try await Self.open(.idle) { stage, tab in
            try await tab.hurry()
            try await tab.open(stage.url)
            func see(_ isHidden: Bool) async throws {
                let _: Bool = try await tab.value(
                    of: """
                        Object.defineProperty(document, "hidden", { configurable: true, get: () => \(isHidden) });
                        document.dispatchEvent(new Event("visibilitychange"))
                        """
                )
            }
            try await see(true)
            try await tab.waitUntil("document.title === 'Paused: Ready: b24bridge-0'")
            // One may have been under way. Seen, it asks every 2 s, which here are 100 ms.
            let _: Bool = try await tab.value(of: "new Promise(done => setTimeout(() => done(true), 6000))")
            let asked = tab.requested.count
            let _: Bool = try await tab.value(of: "new Promise(done => setTimeout(() => done(true), 12_000))")
            #expect(tab.requested.count == asked)
            stage.report.withLock { $0 = .troubled }
            try await see(false)
            try await tab.waitUntil("document.title === 'NOT READY: b24bridge-0'")
        }
    }

    @Test(arguments: [360, 1280])
    func `no long word makes it wider than the screen`(width: Int) async throws {
        let word = String(repeating: "w", count: 300)
        var report = StatusReport.troubled
        report.replica = word
        report.obstacles = [word]
        report.journal.state = "failing: \(word)"
        report.registry?.fault = word
        report.registry?.topic = word
        report.offline?.paused = word
        report.senders.lists = [.init(name: word, entries: 1, ageSeconds: nil, failure: word)]
        report.kafka.unreachable = word
        report.kafka.token?.failure = word
        report.kafka.brokers[0].name = word
        report.kafka.refusingTopics[0] = .init(topic: word, parked: true, error: word, seconds: 1)
        report.refusals[0].reason = word
        var portals = PortalStatus.samples(50, troubled: true)
        portals[0].domain = word
        portals[1].memberId = word
        try await Self.open(report, portals) { stage, tab in
            try await tab.show(width: width, height: 800, isPhone: width < 500)
            try await tab.waitUntil("innerWidth === \(width)")
            #expect(try await tab.value(of: "document.documentElement.scrollWidth <= innerWidth"))
            let wide: [String] = try await tab.value(
                of: """
                    [...document.querySelectorAll("main *")].filter(element => element.scrollWidth > element.clientWidth + 1
                      && getComputedStyle(element).display !== "inline").map(element => element.outerHTML.slice(0, 200))
                    """
            )
            #expect(wide.isEmpty)
            Self.expectPeace(stage, tab)
        }
    }

    @Test(arguments: [false, true])
    func `it fits a narrow phone, and can be read in the light and in the dark`(isDark: Bool) async throws {
        try await Self.open(.troubled, PortalStatus.samples(1000, troubled: true)) { stage, tab in
            try await tab.show(width: 360, height: 740, dark: isDark, isPhone: true)
            try await tab.waitUntil("innerWidth === 360")
            #expect(try await tab.value(of: "document.documentElement.scrollWidth") == 360)
            // WCAG 2.2, 1.4.3: 4.5 to 1 for text, of every element with text of its own.
            let faint: [String] = try await tab.value(
                of: """
                    (() => {
                      const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
                      const light = colour => numbers(colour).slice(0, 3).map(part => part / 255)
                        .map(part => part <= .04045 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4)
                        .reduce((sum, part, index) => sum + part * [.2126, .7152, .0722][index], 0);
                      const ground = element => {
                        for (let at = element; at; at = at.parentElement) {
                          const colour = getComputedStyle(at).backgroundColor;
                          if (numbers(colour)[3] !== 0) return colour;
                        }
                        return "rgb(255, 255, 255)";
                      };
                      return [...document.querySelectorAll("main *")]
                        .filter(element => [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim()))
                        .filter(element => !element.closest("meter"))
                        .map(element => {
                          const pair = [light(getComputedStyle(element).color), light(ground(element))].sort((a, b) => b - a);
                          return [(pair[0] + .05) / (pair[1] + .05), element.outerHTML];
                        })
                        .filter(([ratio]) => !(ratio >= 4.5)).map(([ratio, text]) => ratio.toFixed(2) + " " + text);
                    })()
                    """
            )
            #expect(faint.isEmpty)
            Self.expectPeace(stage, tab)
        }
    }

    /// For whoever changes the page: `B24_SCREENSHOTS=<directory> swift test --filter StatusPageBrowserTests`.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["B24_SCREENSHOTS"] != nil))
    func `screenshots`() async throws {
        let directory = try #require(ProcessInfo.processInfo.environment["B24_SCREENSHOTS"])
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        for (name, report) in [("idle", StatusReport.idle), ("busy", .busy), ("troubled", .troubled)] {
            try await Self.open(report, PortalStatus.samples(1000, troubled: name == "troubled")) { _, tab in
                let sizes = [
                    ("desk", 1280, 900), ("whole", 1280, 3000), ("phone", 390, 844), ("phone-whole", 390, 3000),
                ]
                for (size, width, height) in sizes {
                    for isDark in [false, true] {
                        try await tab.show(width: width, height: height, dark: isDark, isPhone: width < 500)
                        let file = "\(name)-\(size)-\(isDark ? "dark" : "light").png"
                        try await tab.picture().write(to: URL(filePath: directory).appending(path: file))
                    }
                }
            }
        }
    }
}
