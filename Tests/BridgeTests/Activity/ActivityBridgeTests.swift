import Bitrix24
import Foundation
import Journal
import Testing

@testable import Bridge

private let otherID = "bac1cd5c8940947a75e0d71b1a84e348"

@Suite struct ActivityBridgeTests {
    /// What `/metrics` says of one portal.
    private static func series(_ bridge: RunningBridge, _ name: String, _ memberID: String) async throws -> Double? {
        let line = "b24bridge_portal_\(name){portal=\"\(memberID)\"} "
        return try await bridge.get("/metrics").body.split(separator: "\n").first { $0.hasPrefix(line) }
            .flatMap { Double($0.dropFirst(line.count)) }
    }

    private static func page(_ bridge: RunningBridge, _ memberID: String) throws -> PortalStatus {
        try #require(bridge.bridge.snapshot.portals(matching: memberID, limit: 1).portals.first)
    }

    @Test func `events of each portal are counted, with the time of the last, and a restart remembers it`() async throws
    {
        let directory = try TemporaryDirectory()
        let started = ContinuousClock.now
        try await RunningBridge.with(directory: directory, adjust: { $0.http.eventLoops = 2 }) { bridge in
            #expect(try await Self.series(bridge, "events_total", memberID) == 0)
            #expect(try await Self.series(bridge, "silence_seconds", memberID) == nil)
            // Each call on a connection of its own, so that both event loops take some.
            for _ in 0..<6 { #expect(try await bridge.post(event()).status == 200) }
            for _ in 0..<3 { #expect(try await bridge.post(event(member: otherID)).status == 200) }
            // Neither is admitted.
            #expect(try await bridge.post(event(token: "0123456789abcdef0123456789abcdef")).status == 403)
            #expect(try await bridge.post(event(member: "ffffffffffffffffffffffffffffffff")).status == 403)
            try await wait(for: "both portals' events") {
                let counts = try await [
                    Self.series(bridge, "events_total", memberID), Self.series(bridge, "events_total", otherID),
                ]
                return counts == [6, 3]
            }
            let silence = try #require(try await Self.series(bridge, "silence_seconds", memberID))
            #expect(silence >= 0 && silence <= started.duration(to: .now) / .seconds(1))
            #expect(try await Self.series(bridge, "longest_silence_seconds", memberID) == nil)
            #expect(bridge.metric("portals_without_series") == 0 && bridge.metric("portals_silent") == 0)
            let metrics = try await bridge.get("/metrics").body
            #expect(!metrics.contains("ffffffffffffffffffffffffffffffff"))
            try await wait(for: "two seconds of the minute") { try await bridge.status().activity.lastMinute.count > 1 }
            let activity = try await bridge.status().activity
            #expect(activity.lastMinute.reduce(0, +) == 9 && activity.silentPortals == 0)
            #expect(abs(activity.eventsPerSecond * Double(activity.lastMinute.count) - 9) < 0.001)
            let shown = try Self.page(bridge, memberID)
            #expect(shown.events == 6 && shown.state == "file" && shown.domain == "some-domain.bitrix24.com")
            #expect(shown.lastEventSecondsAgo.map { $0 < 20 } == true && !shown.silent)
        }
        // Member_ids and numbers only.
        let file = try #require(FileManager.default.contents(atPath: directory.path + "/journal/activity"))
        let text = String(decoding: file.dropFirst(8), as: UTF8.self)
        #expect(text.contains(memberID) && text.contains(otherID) && !text.contains(token) && !text.contains("domain"))
        try await RunningBridge.with(directory: directory) { bridge in
            try await wait(for: "what is remembered") {
                try await Self.series(bridge, "silence_seconds", otherID) != nil
            }
            #expect(try await Self.series(bridge, "events_total", otherID) == 0)
            let shown = try Self.page(bridge, otherID)
            #expect(shown.events == 0 && shown.lastEventSecondsAgo != nil)
            // The journal takes no notice of the file.
            #expect(bridge.bridge.journal.statistics.recovery.damagedBytes == 0)
            #expect(!bridge.logs.contains("activity cannot be used"))
        }
    }

    @Test func `a file that cannot be used is told of once, and it begins anew`() async throws {
        let directory = try TemporaryDirectory()
        try FileManager.default.createDirectory(atPath: directory.path + "/journal", withIntermediateDirectories: true)
        _ = try directory.write("nonsense, and more of it", to: "journal/activity")
        try await RunningBridge.with(directory: directory) { bridge in
            try await wait(for: "words") { bridge.logs.contains("notice", "activity cannot be used", "damaged") }
            try await bridge.take([event()])
            try await wait(for: "the event") { try await Self.series(bridge, "events_total", memberID) == 1 }
        }
        try await RunningBridge.with(directory: directory) { bridge in
            try await wait(for: "what is remembered") { try Self.page(bridge, memberID).lastEventSecondsAgo != nil }
            #expect(!bridge.logs.contains("activity cannot be used"))
        }
    }

    @Test func `a portal that is silent for unusually long is told, where one that was never busy is not`() async throws
    {
        let directory = try TemporaryDirectory()
        try FileManager.default.createDirectory(atPath: directory.path + "/journal", withIntermediateDirectories: true)
        let file = ActivityFile(directory: directory.path + "/journal", fileSystem: POSIXFileSystem())
        let now = WallClock.now().milliseconds
        let hour: Int64 = 3_600_000
        var busy = PortalActivity(firstAt: now - 300 * hour)
        for passed in 1...290 as ClosedRange<Int64> { busy.heard(1, at: now - (300 - passed) * hour) }
        let calm = PortalActivity(firstAt: now - 300 * hour)
        try file.write(.init(savedAt: now, portals: [memberID: busy, otherID: calm, "unknown": busy]))
        try await RunningBridge.with(directory: directory) { bridge in
            try await wait(for: "a silent portal") {
                _ = try await bridge.get("/metrics")
                return bridge.metric("portals_silent") == 1
            }
            #expect(try await bridge.status().activity.silentPortals == 1)
            #expect(try await Self.series(bridge, "longest_silence_seconds", memberID) == 3600)
            #expect(try await Self.series(bridge, "longest_silence_seconds", otherID) == nil)
            #expect(try await Self.series(bridge, "events_total", "unknown") == nil)
            let page = bridge.bridge.snapshot.portals(matching: "", limit: 10)
            #expect(page.found == 2 && page.portals.map(\.memberId) == [memberID, otherID])
            #expect(page.portals.map(\.silent) == [true, false] && page.portals[0].longestSilenceSeconds == 3600)
            try await bridge.take([event()])
            try await wait(for: "its voice") { try await bridge.status().activity.silentPortals == 0 }
        }
        let kept = try #require(try file.read())
        #expect(kept.portals.keys.sorted() == [memberID, otherID].sorted())
    }

    @Test func `only so many portals have series, and one that leaves takes its own along`() async throws {
        try await RunningBridge.with(adjust: { $0.admin.portalMetrics = 1 }) { bridge in
            try await bridge.take([event(member: otherID)])
            try await wait(for: "the one heard of") { try await Self.series(bridge, "events_total", otherID) == 1 }
            #expect(try await Self.series(bridge, "events_total", memberID) == nil)
            #expect(bridge.metric("portals_without_series") == 1)
            try await bridge.take([event(), event()])
            try await wait(for: "the one heard of last") {
                try await Self.series(bridge, "events_total", memberID) == 2
            }
            #expect(try await Self.series(bridge, "events_total", otherID) == nil)
            #expect(try await Self.series(bridge, "silence_seconds", otherID) == nil)
            // It is counted on while it has none.
            bridge.bridge.portals.replace(
                with: PortalDirectory([try #require(RunningBridge.portals[otherID])])
            )
            try await wait(for: "the other one") { try await Self.series(bridge, "events_total", otherID) == 1 }
            #expect(try await Self.series(bridge, "events_total", memberID) == nil)
            #expect(bridge.metric("portals_without_series") == 0)
            try await wait(for: "the end of its memory") { bridge.bridge.snapshot.activity.portals[memberID] == nil }
            #expect(!(try await bridge.get("/metrics").body).contains("metrics_label_overflows_total"))
        }
        try await RunningBridge.with(adjust: { $0.admin.portalMetrics = 0 }) { bridge in
            try await bridge.take([event()])
            #expect(!(try await bridge.get("/metrics").body).contains("{portal="))
            #expect(bridge.metric("portals_without_series") == 2)
        }
    }

    @Test func `what was refused is told by reason, the latest first`() async throws {
        try await RunningBridge.with { bridge in
            #expect(try await bridge.status().refusals.isEmpty)
            let wrong = event(token: "0123456789abcdef0123456789abcdef")
            #expect(try await bridge.post(all: [wrong, wrong, "no=event"]) == [403, 403, 400])
            // The order of the last times is known to the millisecond.
            try await Task.sleep(for: .milliseconds(5))
            #expect(try await bridge.post(event(member: "ffffffffffffffffffffffffffffffff")).status == 403)
            let refusals = try await bridge.status().refusals
            #expect(refusals.first?.reason == "unknown-portal" && refusals.first?.count == 1)
            let counts = Dictionary(uniqueKeysWithValues: refusals.map { ($0.reason, $0.count) })
            #expect(counts["bad-token"] == 2 && counts.count == 3)
            #expect(refusals.allSatisfy { !$0.lost && $0.lastSecondsAgo < 20 })
            #expect(bridge.metric("requests_refused_total", [("reason", "bad-token")]) == 2)
        }
    }

    @Test func `what is lost is told as lost`() async throws {
        try await RunningBridge.with { bridge in
            bridge.bridge.journal.close()
            #expect(try await bridge.post(event()).status == 503)
            let refusal = try #require(try await bridge.status().refusals.first)
            #expect(refusal.lost && refusal.reason == "shutdown" && refusal.count == 1)
        }
    }
}
