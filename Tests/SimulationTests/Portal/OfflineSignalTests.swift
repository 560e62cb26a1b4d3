import Testing

@testable import Simulation

/// ONOFFLINEEVENT, and the queues at the control path.
@Suite struct OfflineSignalTests {
    private static func bind(_ client: PortalClient, _ url: String, _ token: String, minTimeout: Int?) async throws {
        var bind: PHPValue = ["event": "ONOFFLINEEVENT", "handler": .text(url)]
        if let minTimeout { bind.set("options", ["minTimeout": .text("\(minTimeout)")]) }
        #expect(try await client.call("event.bind", bind, token: token).result == true)
    }

    @Test func `the application is told at once, and later of what came meanwhile, once`() async throws {
        try await OfflineQueueTests.withQueue { standIn, client, sink, url, token in
            // Longer than the changes below take on any machine.
            try await Self.bind(client, url, token, minTimeout: 5)
            let posted = await standIn.emit("ONCRMDEALADD", id: "1", portal: "1")
            #expect(posted.map(\.event) == ["ONOFFLINEEVENT"])
            let signal = try #require(sink.posted("ONOFFLINEEVENT").first)
            #expect(signal.form["data"] == nil)
            #expect(signal.auth("refresh_token") != nil)
            for id in 2...9 { #expect(await standIn.emit("ONCRMDEALADD", id: "\(id)", portal: "1").isEmpty) }
            #expect(sink.posted("ONOFFLINEEVENT").count == 1)
            try await wait(for: "the late signal") { sink.posted("ONOFFLINEEVENT").count == 2 }
            #expect(standIn.host.look { $0.dueSignals.isEmpty && $0.waitingSignals.isEmpty })
            #expect(standIn.offlineSummary(of: "1")?.waiting == 9)
        }
    }

    @Test func `without a timeout each change is told`() async throws {
        try await OfflineQueueTests.withQueue { standIn, client, sink, url, token in
            try await Self.bind(client, url, token, minTimeout: 0)
            for _ in 0..<3 { #expect(await standIn.emit("ONCRMDEALADD", id: "1", portal: "1").count == 1) }
            standIn.addOfflineRows(100, portal: "1")
            try await wait(for: "one more, for all of them") { sink.posted("ONOFFLINEEVENT").count == 4 }
            standIn.addOfflineRows(1, portal: "1", signals: false)
            #expect(await standIn.emit("ONCRMLEADADD", portal: "1").isEmpty, "not bound, and nothing is left over")
        }
    }

    @Test func `a portal may forget what comes too early`() async throws {
        var settings = StandInSettings()
        settings.signalsLate = false
        try await OfflineQueueTests.withQueue(settings) { standIn, client, _, url, token in
            try await Self.bind(client, url, token, minTimeout: 3600)
            #expect(await standIn.emit("ONCRMDEALADD", id: "1", portal: "1").count == 1)
            #expect(await standIn.emit("ONCRMDEALADD", id: "2", portal: "1").isEmpty)
            #expect(standIn.host.look { $0.dueSignals.isEmpty })
        }
    }

    @Test func `rows go in and are told of by hand`() async throws {
        try await OfflineQueueTests.withQueue(StandInSettings(portals: 2)) { standIn, client, _, _, token in
            let changed = try await client.post("/control/event?portal=1&code=ONCRMDEALADD&id=9").json
            #expect((changed?["posted"], changed?["rows"]) == (0, 1))
            let own = try await client.post("/control/event?portal=1&code=ONCRMDEALADD&id=10&connector=").json
            #expect(own?["rows"] == 0)
            let many = try await client.post("/control/offline?portal=all&count=500&signal=N").json
            #expect((many?["rows"], many?["portals"]) == (500, 1))
            let some = try await client.post("/control/offline?portal=1&count=3&code=onCrmDealAdd&first=9").json
            #expect(some?["rows"] == 1, "two wait already")
            #expect(try await client.post("/control/offline?portal=2&count=3").status == 400)
            _ = try await client.call("event.offline.get", ["limit": 1, "order": ["ID": "ASC"]], token: token)
            let shown = try await client.get("/control/offline?portal=1").json
            #expect((shown?["made"], shown?["waiting"], shown?["cleared"]) == (502, 501, 1))
            let row = try #require(shown?["rows"]?["0"])
            #expect(row.members.prefix(4).map(\.value) == [1, "ONCRMDEALADD", "9", ""])
            let time = try #require(row["4"]?.text.flatMap { Int($0) })
            #expect(abs(time - standIn.host.look { $0.now }) < 60)
            #expect(row.members.suffix(4).map(\.value) == [false, true, false, false])
            #expect(shown?["rows"]?["1"]?["4"] == .null)
            let all = try await client.get("/control/offline").json
            #expect(all?.members.compactMap { $0.value["made"] } == [502, 0])
            #expect(try await client.get("/control/offline?portal=7").status == 404)
        }
    }
}
