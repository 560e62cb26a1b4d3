import Testing

@testable import Simulation

/// The methods of the queue over HTTP.
@Suite struct OfflineQueueTests {
    /// A portal with deals bound offline, in the queue without a source and in that of `ERP`.
    static func withQueue(
        _ settings: StandInSettings = StandInSettings(),
        connectors: [String] = [""],
        isolation: isolated (any Actor)? = #isolation,
        _ body: (StandIn, PortalClient, EventSink, String, String) async throws -> Void
    ) async throws {
        try await BindingTests.withInstalledPortal(settings) { standIn, client, sink, url, token in
            for connector in connectors {
                for event in ["ONCRMDEALADD", "ONCRMDEALUPDATE"] {
                    var bind: PHPValue = ["event": .text(event), "event_type": "offline"]
                    if !connector.isEmpty { bind.set("auth_connector", .text(connector)) }
                    #expect(try await client.call("event.bind", bind, token: token).result == true)
                }
            }
            try await body(standIn, client, sink, url, token)
        }
    }

    static func rows(_ answer: PortalClient.Answer) -> [PHPValue] {
        (answer.result?["events"] ?? answer.result)?.members.map(\.value) ?? []
    }

    static func ids(_ answer: PortalClient.Answer) -> [String] { rows(answer).compactMap { $0["ID"]?.text } }

    @Test func `a change becomes a row, a like one while it waits does not, one while it is reserved does`()
        async throws
    {
        try await Self.withQueue { standIn, client, sink, _, token in
            #expect(await standIn.emit("ONCRMDEALUPDATE", id: "7", portal: "1").isEmpty, "nothing is posted")
            await standIn.emit("ONCRMDEALUPDATE", id: "7", portal: "1", user: nil)
            await standIn.emit("ONCRMDEALADD", id: "7", portal: "1")
            await standIn.emit("ONCRMLEADADD", id: "7", portal: "1")
            let first = try await client.call("event.offline.get", ["clear": "0"], token: token)
            let rows = Self.rows(first)
            #expect(rows.compactMap { $0["EVENT_NAME"]?.text } == ["ONCRMDEALUPDATE", "ONCRMDEALADD"])
            let row = try #require(rows.first)
            #expect(row["ID"] == "1")
            #expect(row["EVENT_DATA"] == ["FIELDS": ["ID": "7"]])
            #expect(row["EVENT_ADDITIONAL"] == false, "the last change was a robot's")
            #expect(rows.last?["EVENT_ADDITIONAL"] == ["user_id": "1"])
            let message = try #require(row["MESSAGE_ID"]?.text)
            #expect(message.count == 32 && message.allSatisfy(\.isHexDigit))
            let time = try #require(row["TIMESTAMP_X"]?.text)
            #expect(time.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+02:00/) != nil, "\(time)")
            let process = try #require(first.result?["process_id"]?.text)
            #expect(process.count == 32)

            await standIn.emit("ONCRMDEALUPDATE", id: "7", portal: "1")
            let second = try await client.call("event.offline.get", ["clear": "0"], token: token)
            #expect(Self.rows(second).compactMap { $0["MESSAGE_ID"]?.text } == [message], "the same, and another row")
            #expect(Self.ids(second) == ["3"])
            let none = try await client.call("event.offline.get", ["clear": "0"], token: token)
            #expect(Self.rows(none).isEmpty)
            #expect(none.result?["process_id"]?.text?.count == 32, "there is one without rows as well")

            let again = try await client.call(
                "event.offline.get",
                ["process_id": .text(process), "clear": "0", "limit": "1"],
                token: token
            )
            #expect(Self.ids(again) == ["1"])
            #expect(again.result?["process_id"]?.text == process)
            _ = try await client.call("event.offline.clear", ["process_id": .text(process), "id": ["1"]], token: token)
            #expect(standIn.offlineRows(of: "1").map(\.isCleared) == [true, false, false])
            _ = try await client.call("event.offline.clear", ["process_id": .text(process)], token: token)
            #expect(standIn.offlineRows(of: "1").map(\.isCleared) == [true, true, false])
            #expect(sink.posted("ONCRMDEALUPDATE").isEmpty)
        }
    }

    @Test func `without clear the rows are gone, and so is all of a reservation that is read again`() async throws {
        try await Self.withQueue { standIn, client, _, _, token in
            #expect(standIn.addOfflineRows(70, code: "ONCRMDEALADD", portal: "1") == 70)
            let taken = try await client.call("event.offline.get", token: token)
            #expect(Self.rows(taken).count == 50)
            #expect(taken.result?["process_id"] == .null)
            #expect(standIn.offlineSummary(of: "1")?.cleared == 50)
            let kept = try await client.call("event.offline.get", ["clear": "0", "limit": "20"], token: token)
            let process = try #require(kept.result?["process_id"]?.text)
            let again = try await client.call(
                "event.offline.get",
                ["process_id": .text(process), "limit": "5"],
                token: token
            )
            #expect(Self.rows(again).count == 5)
            #expect(again.result?["process_id"]?.text == process)
            #expect(standIn.offlineSummary(of: "1")?.cleared == 70, "also those that were not read")
        }
    }

    @Test func `whoever reads at the same time gets other rows`() async throws {
        try await Self.withQueue { standIn, client, _, _, token in
            standIn.addOfflineRows(100, portal: "1")
            let ids = try await withThrowingTaskGroup(of: [String].self) { group in
                for _ in 0..<10 {
                    group.addTask {
                        Self.ids(try await client.call("event.offline.get", ["clear": 0, "limit": 9], token: token))
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(ids.count == 90)
            #expect(Set(ids).count == 90)
            #expect(standIn.offlineSummary(of: "1")?.reserved == 90)
        }
    }

    @Test func `each connector has its own queue, which the application's own changes do not enter`() async throws {
        try await Self.withQueue(connectors: ["", "ERP"]) { standIn, client, _, _, token in
            await standIn.emit("ONCRMDEALADD", id: "5", portal: "1")
            await standIn.emit("ONCRMDEALADD", id: "6", portal: "1", connector: "ERP")
            let bare = try await client.call("event.offline.list", token: token)
            #expect(Self.ids(bare) == ["1", "3"])
            let named = try await client.call("event.offline.list", ["auth_connector": "ERP"], token: token)
            #expect(Self.ids(named) == ["2"])
            #expect(
                Self.ids(try await client.call("event.offline.get", ["auth_connector": "CRM"], token: token)).isEmpty
            )
            let taken = try await client.call("event.offline.get", ["auth_connector": "ERP", "clear": 0], token: token)
            let process = try #require(taken.result?["process_id"]?.text)
            _ = try await client.call("event.offline.clear", ["process_id": .text(process)], token: token)
            #expect(standIn.offlineSummary(of: "1")?.cleared == 0, "the reservation is of another queue")
            _ = try await client.call(
                "event.offline.clear",
                ["process_id": .text(process), "auth_connector": "ERP"],
                token: token
            )
            #expect(standIn.offlineRows(of: "1").filter(\.isCleared).map(\.connector) == ["ERP"])
        }
    }

    @Test func `filters and orders choose, in a form and in JSON`() async throws {
        try await Self.withQueue { standIn, client, _, _, token in
            standIn.addOfflineRows(60, first: 1000, portal: "1")
            let path = "/portal/\(standIn.memberIDs[0])/rest/event.offline."
            let page = try await client.post(path + "list", json: ["auth": .text(token)])
            #expect(Self.rows(page).count == 50)
            #expect(page.json?["total"] == 60)
            #expect(page.json?["next"] == 50)
            #expect(Self.rows(page).first?["PROCESS_ID"] == "")
            #expect(Self.rows(page).first?["ERROR"] == "0")
            let last = try await client.post(path + "list", json: ["auth": .text(token), "start": 50])
            #expect(Self.rows(last).count == 10)
            #expect(last.json?["next"] == nil)
            let chosen = try await client.call(
                "event.offline.get",
                [
                    "filter": [">=ID": "11", "=EVENT_NAME": "ONCRMDEALADD"], "order": ["ID": "DESC"], "clear": 0,
                    "limit": 3,
                ],
                token: token
            )
            #expect(Self.ids(chosen) == ["59", "57", "55"])
            let reserved = try await client.call("event.offline.list", ["filter": [">PROCESS_ID": ""]], token: token)
            #expect(Self.ids(reserved) == ["55", "57", "59"])
            #expect(Self.rows(reserved).first?["PROCESS_ID"] == chosen.result?["process_id"])
            let time = try #require(Self.rows(page).first?["TIMESTAMP_X"]?.text)
            let since = try await client.call(
                "event.offline.list",
                ["filter": [">=TIMESTAMP_X": .text(time)]],
                token: token
            )
            #expect(since.json?["total"] == 60)
            let before = try await client.call(
                "event.offline.list",
                ["filter": ["<TIMESTAMP_X": .text(time)]],
                token: token
            )
            #expect(before.json?["total"] == 0)
            let message = try #require(Self.rows(page).first?["MESSAGE_ID"])
            let one = try await client.call("event.offline.list", ["filter": ["MESSAGE_ID": message]], token: token)
            #expect(Self.ids(one) == ["1"])
            for wrong: PHPValue in [
                ["filter": ["!ID": "1"]], ["filter": ["NAME": "1"]], ["filter": ["PROCESS_ID": "1"]], ["limit": "0"],
                ["order": ["ID": "UP"]], ["filter": ["TIMESTAMP_X": "yesterday"]], ["filter": ["ID": ["1", "2"]]],
            ] {
                let answer = try await client.call("event.offline.get", wrong, token: token)
                #expect((answer.status, answer.error) == (400, "ERROR_ARGUMENT"), "\(wrong)")
            }
        }
    }

    @Test func `what is marked stays, is read only when asked for, and takes like rows away`() async throws {
        try await Self.withQueue { standIn, client, _, _, token in
            standIn.addOfflineRows(2, code: "ONCRMDEALADD", first: 1, portal: "1")
            let taken = try await client.call("event.offline.get", ["clear": 0], token: token)
            let process = try #require(taken.result?["process_id"])
            let message = try #require(Self.rows(taken).first?["MESSAGE_ID"])
            await standIn.emit("ONCRMDEALADD", id: "1", portal: "1")
            #expect(standIn.offlineSummary(of: "1")?.waiting == 1)
            let marked = try await client.call(
                "event.offline.error",
                ["process_id": process, "message_id": [message]],
                token: token
            )
            #expect(marked.result == true)
            let rows = standIn.offlineRows(of: "1")
            #expect(rows.map(\.isMarked) == [true, false, false])
            #expect(rows.map(\.isReserved) == [false, true, false])
            #expect(rows.map(\.isRemoved) == [false, false, true])
            #expect(Self.ids(try await client.call("event.offline.get", ["clear": 0], token: token)).isEmpty)
            // It merges into the marked row, as the platform's unique key has it.
            await standIn.emit("ONCRMDEALADD", id: "1", portal: "1")
            #expect(standIn.offlineSummary(of: "1")?.made == 3)
            let errors = try await client.call("event.offline.get", ["clear": 0, "error": 1], token: token)
            #expect(Self.ids(errors) == ["1"])
            let cleared = try await client.call(
                "event.offline.clear",
                ["process_id": errors.result?["process_id"] ?? .null, "message_id": [message], "id": ["2"]],
                token: token
            )
            #expect(cleared.result == true)
            #expect(standIn.offlineRows(of: "1").map(\.isCleared) == [true, false, false], "message_id wins")
            for wrong: PHPValue in [
                [:], ["process_id": process, "id": "2"], ["process_id": process, "id": ["x"]],
                ["process_id": process, "message_id": ["short"]],
            ] {
                let answer = try await client.call("event.offline.clear", wrong, token: token)
                #expect((answer.status, answer.error) == (400, "ERROR_ARGUMENT"), "\(wrong)")
            }
        }
    }

    @Test(arguments: [true, false]) func `what is marked again is released, or stays reserved`(releases: Bool)
        async throws
    {
        var settings = StandInSettings()
        settings.releasesMarkedRows = releases
        try await Self.withQueue(settings) { standIn, client, _, _, token in
            standIn.addOfflineRows(2, code: "ONCRMDEALADD", portal: "1")
            for get: PHPValue in [["clear": 0], ["clear": 0, "error": 1]] {
                let taken = try await client.call("event.offline.get", get, token: token)
                let messages = Self.rows(taken).compactMap { $0["MESSAGE_ID"] }
                #expect(messages.count == 2)
                _ = try await client.call(
                    "event.offline.error",
                    ["process_id": taken.result?["process_id"] ?? .null, "message_id": .list(messages)],
                    token: token
                )
            }
            let summary = try #require(standIn.offlineSummary(of: "1"))
            #expect(summary.marked == 2 && summary.reserved == (releases ? 0 : 2))
        }
    }

    @Test(arguments: ["event.offline.get", "event.offline.list", "event.offline.clear", "event.offline.error"])
    func `only an administrator's application may`(method: String) async throws {
        try await Self.withQueue { standIn, client, _, _, _ in
            let staff = try #require(standIn.makeTokens(of: "1", user: 2)?.access)
            let denied = try await client.call(method, token: staff)
            #expect((denied.status, denied.error) == (403, "ACCESS_DENIED"))
            let webhook = try #require(standIn.webhookAddress(of: "1"))
            let wrong = try await client.post(webhook + method)
            #expect((wrong.status, wrong.error) == (403, "WRONG_AUTH_TYPE"))
        }
    }

    @Test func `a plan may not reserve, and an uninstallation takes the queue`() async throws {
        var settings = StandInSettings()
        settings.hasProfessionalPlan = false
        settings.offlineRows = 10
        try await Self.withQueue(settings) { standIn, client, _, url, token in
            #expect(standIn.offlineSummary(of: "1")?.waiting == 10, "they were there at the first binding")
            let refused = try await client.call("event.offline.get", ["clear": 0], token: token)
            #expect((refused.status, refused.error) == (403, "WRONG_LICENSE"))
            #expect(Self.rows(try await client.call("event.offline.get", ["limit": 4], token: token)).count == 4)
            _ = await standIn.uninstall("1")
            #expect(standIn.offlineSummary(of: "1")?.waiting == 0)
            #expect(standIn.offlineSummary(of: "1")?.removed == 6)
        }
    }

    @Test func `a portal's time is read as it is written`() {
        let time = PortalTime(offsetMinutes: 120)
        for seconds in [0, 951_782_400, 1_709_164_799, 1_773_829_951, 4_102_444_800] {
            #expect(time.seconds(time.text(seconds)) == seconds)
        }
        #expect(time.text(1_773_829_951) == "2026-03-18T12:32:31+02:00")
        #expect(time.seconds("2026-03-18T10:32:31Z") == 1_773_829_951)
        #expect(time.seconds("2026-03-18 12:32:31") == 1_773_829_951)
        #expect(time.seconds("2026-03-18T05:02:31.5-05:30") == 1_773_829_951)
        for wrong in ["", "2026", "2026-13-01", "2026-03-18T", "2026-03-18T10:32:31+0", "18.03.2026"] {
            #expect(time.seconds(wrong) == nil, "\(wrong)")
        }
    }
}
