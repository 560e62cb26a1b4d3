import Foundation
import Testing

@testable import Bitrix24REST

@Suite struct OfflineCallTests {
    private static let row: JSONValue = [
        "ID": "12", "TIMESTAMP_X": "2026-03-18T12:32:31+02:00", "EVENT_NAME": "ONCRMLEADADD",
        "EVENT_DATA": ["FIELDS": ["ID": "1000983"]], "EVENT_ADDITIONAL": ["user_id": "1"],
        "MESSAGE_ID": "0b3bb1c8c07f0f54d3e17ee2a7b1a8f0",
    ]

    @Test func `rows are reserved and never deleted by reading`() async throws {
        try await withPortal { _, _ in
            .result(["process_id": "p1", "events": [Self.row]])
        } _: { client, server, _ in
            let reservation = try await client.reserveOfflineRows(.init(limit: 200), connector: "", of: portal)
            #expect(reservation.processID == "p1")
            let row = try #require(reservation.rows.first)
            #expect(row.id == "12" && row.event == "ONCRMLEADADD" && row.userID == "1" && row.processID == nil)
            #expect(row.changedAt == "2026-03-18T12:32:31+02:00" && !row.isErroneous)
            #expect(row.data == ["FIELDS": ["ID": "1000983"]])
            #expect(row.messageID == "0b3bb1c8c07f0f54d3e17ee2a7b1a8f0")
            _ = try await client.reserveOfflineRows(
                .init(limit: 0, since: "2026-11-20T03:15:00Z", erroneous: true),
                connector: "OneC",
                of: portal
            )
            _ = try await client.reservedOfflineRows("p1", .init(limit: 7), connector: "OneC", of: portal)
            let auth = JSONValue.string(OAuthTokens.first.access)
            #expect(
                server.calls.map(\.json) == [
                    ["auth": auth, "clear": 0, "limit": 200, "order": ["TIMESTAMP_X": "ASC"]],
                    [
                        "auth": auth, "clear": 0, "limit": 1, "order": ["TIMESTAMP_X": "ASC"], "error": 1,
                        "filter": [">=TIMESTAMP_X": "2026-11-20T03:15:00Z"], "auth_connector": "OneC",
                    ],
                    [
                        "auth": auth, "clear": 0, "limit": 7, "order": ["TIMESTAMP_X": "ASC"], "process_id": "p1",
                        "auth_connector": "OneC",
                    ],
                ]
            )
            #expect(server.calls.allSatisfy { $0.method == "event.offline.get" })
        }
    }

    @Test func `rows are read in whatever way PHP writes them`() async throws {
        let bare: JSONValue = [
            "ID": 13, "TIMESTAMP_X": "2026-03-18T12:32:31+02:00", "EVENT_NAME": "ONCRMDEALUPDATE", "EVENT_DATA": false,
            "EVENT_ADDITIONAL": false, "MESSAGE_ID": 1, "PROCESS_ID": nil, "ERROR": "1",
        ]
        try await withPortal { _, _ in
            // PHP's list with a gap.
            .result(["process_id": 77, "events": ["10": Self.row, "2": bare]])
        } _: { client, _, _ in
            let reservation = try await client.reserveOfflineRows(.init(limit: 2), connector: "", of: portal)
            #expect(reservation.processID == "77")
            #expect(reservation.rows.map(\.id) == ["13", "12"])
            let row = reservation.rows[0]
            #expect(row.data == nil && row.userID == nil && row.messageID == "1" && row.processID == nil)
            #expect(row.isErroneous)
        }
    }

    @Test(arguments: [
        JSONValue.object(["process_id": "p", "events": []]), ["process_id": "p", "events": [:]],
        ["process_id": "p", "events": false], ["process_id": "p", "events": nil], ["process_id": "p"],
        ["process_id": nil, "events": []],
    ])
    func `an empty queue has no rows`(result: JSONValue) async throws {
        try await withPortal { _, _ in
            .result(result)
        } _: { client, _, _ in
            let reservation = try await client.reserveOfflineRows(.init(limit: 2), connector: "", of: portal)
            #expect(reservation.rows.isEmpty)
        }
    }

    @Test(arguments: [
        JSONValue.null, [], true, ["events": nil], [:], ["process_id": "p", "events": "x"],
        ["process_id": "p", "events": ["error": "x"]],
    ])
    func `what has no list of rows is never taken for an empty queue`(result: JSONValue) async throws {
        try await withPortal { _, _ in
            .result(result)
        } _: { client, _, _ in
            let error = await #expect(throws: RESTError.self) {
                try await client.reserveOfflineRows(.init(limit: 2), connector: "", of: portal)
            }
            #expect(error?.code == .notJSON)
        }
    }

    @Test func `rows that the portal has not kept are not thrown away`() async throws {
        try await withPortal { _, _ in
            .result(["process_id": nil, "events": [Self.row]])
        } _: { client, server, _ in
            let reservation = try await client.reserveOfflineRows(.init(limit: 2), connector: "", of: portal)
            #expect(reservation.rows.count == 1 && reservation.processID.isEmpty)
            try await client.clearOfflineRows(["12"], reservedAs: reservation.processID, connector: "", of: portal)
            #expect(server.calls.count == 1)
            let again = try await client.reservedOfflineRows("p9", .init(limit: 2), connector: "", of: portal)
            #expect(again.processID == "p9")
        }
    }

    @Test func `the queue is looked at a page at a time`() async throws {
        try await withPortal { call, _ in
            call.json["start"] == 50
                ? .json(200, ["result": [:], "total": 51])
                : .json(200, ["result": [Self.row], "total": "51", "next": 50])
        } _: { client, server, _ in
            let first = try await client.offlineRows(filter: RESTClient.reserved, connector: "OneC", of: portal)
            #expect(first.rows.map(\.id) == ["12"] && first.total == 51 && first.next == 50)
            let second = try await client.offlineRows(start: 50, connector: "", of: portal)
            #expect(second.rows.isEmpty && second.total == 51 && second.next == nil)
            let auth = JSONValue.string(OAuthTokens.first.access)
            #expect(
                server.calls.map(\.json) == [
                    [
                        "auth": auth, "order": ["ID": "ASC"], "start": 0, "auth_connector": "OneC",
                        "filter": [">PROCESS_ID": ""],
                    ],
                    ["auth": auth, "order": ["ID": "ASC"], "start": 50],
                ]
            )
        }
    }

    @Test func `clearing and marking name their rows, by one kind of ids`() async throws {
        try await withPortal { _, _ in
            .result(true)
        } _: { client, server, _ in
            try await client.clearOfflineRows(["12", "13"], reservedAs: "p1", connector: "OneC", of: portal)
            try await client.markOfflineRows(["m1"], reservedAs: "p1", connector: "", of: portal)
            let auth = JSONValue.string(OAuthTokens.first.access)
            #expect(
                server.calls.map(\.json) == [
                    ["auth": auth, "process_id": "p1", "id": ["12", "13"], "auth_connector": "OneC"],
                    ["auth": auth, "process_id": "p1", "message_id": ["m1"]],
                ]
            )
            #expect(server.calls.map(\.method) == ["event.offline.clear", "event.offline.error"])
        }
    }

    @Test func `without ids nothing is cleared, as Bitrix24 would clear all`() async throws {
        try await withPortal { _, _ in
            .result(true)
        } _: { client, server, _ in
            try await client.clearOfflineRows([], reservedAs: "p1", connector: "", of: portal)
            try await client.clearOfflineRows([""], reservedAs: "p1", connector: "", of: portal)
            try await client.markOfflineRows([], reservedAs: "p1", connector: "", of: portal)
            #expect(server.calls.isEmpty)
        }
    }

    @Test(arguments: [JSONValue.bool(false), nil, 0, [], ["x": 1]])
    func `what was not done does not pass for done`(result: JSONValue) async throws {
        try await withPortal { _, _ in
            .result(result)
        } _: { client, server, _ in
            let cleared = await #expect(throws: RESTError.self) {
                try await client.clearOfflineRows(["12"], reservedAs: "p1", connector: "", of: portal)
            }
            let marked = await #expect(throws: RESTError.self) {
                try await client.markOfflineRows(["m"], reservedAs: "p1", connector: "", of: portal)
            }
            #expect(cleared?.code == .notDone && cleared?.meaning == .passing)
            #expect(marked?.code == .notDone)
            #expect(server.calls.count == 2)
        }
    }

    @Test(arguments: [(403, "WRONG_LICENSE"), (200, "WRONG_LICENSE"), (403, "ACCESS_DENIED"), (200, "ACCESS_DENIED")])
    func `a portal that does not allow it is asked once`(status: Int, code: String) async throws {
        try await withPortal { _, _ in
            .json(status, ["error": .string(code), "error_description": "no", "result": ["events": []]])
        } _: { client, server, _ in
            let error = await #expect(throws: RESTError.self) {
                try await client.reserveOfflineRows(.init(limit: 1), connector: "", of: portal)
            }
            #expect(error?.code == .init(code) && error?.meaning == .permanent && error?.status == status)
            #expect(server.calls.count == 1)
        }
    }

    @Test func `more rows than an answer may hold are asked for once, and can be looked for`() async throws {
        try await withPortal { call, _ in
            call.method == "event.offline.get"
                ? .result(["process_id": "lost", "events": .array(Array(repeating: Self.row, count: 100))])
                : .json(
                    200,
                    ["result": [["ID": "12", "PROCESS_ID": "lost"], ["ID": "14", "PROCESS_ID": ""]], "total": 2]
                )
        } change: {
            $0.maxAnswerBytes = 5000
        } _: { client, server, _ in
            let error = await #expect(throws: RESTError.self) {
                try await client.reserveOfflineRows(.init(limit: 100), connector: "", of: portal)
            }
            #expect(error?.code == .tooLarge)
            #expect(server.calls.count == 1)
            let rows = try await client.offlineRows(filter: RESTClient.reserved, connector: "", of: portal).rows
            #expect(rows.map(\.processID) == ["lost", nil])
        }
    }

    @Test func `a reservation whose answer got lost leaves its rows to be found, and the next gives the next`()
        async throws
    {
        try await withPortal { call, earlier in
            switch call.method {
            case "event.offline.get":
                earlier == 0 ? .text(502, "", []) : .result(["process_id": "p2", "events": [Self.row]])
            default: .json(200, ["result": [["ID": "11", "PROCESS_ID": "p1"]], "total": 1])
            }
        } _: { client, server, _ in
            let error = await #expect(throws: RESTError.self) {
                try await client.reserveOfflineRows(.init(limit: 1), connector: "", of: portal)
            }
            #expect(error?.meaning == .passing && server.calls.count == 1)
            let reservation = try await client.reserveOfflineRows(.init(limit: 1), connector: "", of: portal)
            #expect(reservation.processID == "p2")
            let lost = try await client.offlineRows(filter: RESTClient.reserved, connector: "", of: portal)
            #expect(lost.rows.first?.processID == "p1")
        }
    }
}
